"""``<digital-human>`` in Chromium against a scripted server."""

from __future__ import annotations

import asyncio

import pytest

from tests.browser import ChromiumFactory
from tests.web_client.fake_server import FakeServer, serving
from tests.web_client.pages import ElementPage, element_page

pytestmark = pytest.mark.browser


async def test_a_conversation_from_the_button_to_the_end(chromium: ChromiumFactory, fake: FakeServer) -> None:
    page = await ElementPage.open(await chromium(), element_page(fake, 'persona="mei" captions'))
    await page.button("Start talking").click()
    call = await fake.call()
    await page.event("ready")
    assert call.session == {"type": "realtime", "avatar": {"persona": "mei"}}
    assert await page.run("element.shadowRoot.querySelector('video').readyState") >= 2
    assert await page.run("element.shadowRoot.querySelector('video').getVideoPlaybackQuality().totalVideoFrames") > 0
    await asyncio.wait_for(call.heard.wait(), 10)

    call.send("avatar.state", state="listening")
    await page.event("agentstate", state="listening")
    call.send("avatar.state", state="dancing")  # of a later version: ignored
    call.send("response.created", response={"id": "resp_1"})
    call.send("avatar.state", state="speaking")
    call.send("output_audio_buffer.started", response_id="resp_1")
    call.send("avatar.latency", response_id="resp_1", stages={"endpointing": 200, "thinking": 50}, total_ms=250)
    for word in ("Hello ", "there."):
        call.send("avatar.caption", response_id="resp_1", item_id="item_1", text=word, start_ms=0, end_ms=200)
    await page.event("caption", text="Hello there.", final=False)
    await page.part("captions").get_by_text("Hello there.").wait_for()
    call.send("output_audio_buffer.stopped", response_id="resp_1")
    await page.event("caption", text="Hello there.", final=True, interrupted=False, role="assistant")
    while True:
        turn = (await page.event("metrics", kind="latency"))["turn"]
        if len(turn["stages"]) == 3:
            break
        page.events.remove(next(event for event in page.events if event[1].get("kind") == "latency"))
    assert [stage["name"] for stage in turn["stages"]] == ["endpointing", "thinking", "display"]
    assert 0 <= turn["stages"][2]["ms"] < 1000
    assert (await page.event("metrics", kind="quality"))["quality"]["rating"] in ("good", "fair", "poor")

    await page.button("End conversation").click()
    await asyncio.wait_for(call.ended.wait(), 10)
    await page.event("connectionstate", state="disconnected")
    await page.event("microphonestate", state="off")
    states = [detail["state"] for name, detail in page.events if name == "connectionstate"]
    assert states == ["connecting", "connected", "disconnected"]
    assert page.complaints == []


async def test_commands_become_events(chromium: ChromiumFactory, fake: FakeServer) -> None:
    page = await ElementPage.open(await chromium(), element_page(fake))
    await page.run("element.connect()")
    call = await fake.call()
    await page.run("element.interrupt()")  # nothing to interrupt: nothing is sent
    item_id = await page.run("element.chat('What is Parley?')")
    created = await call.event("conversation.item.create")
    assert created["item"]["id"] == item_id
    assert created["item"]["content"] == [{"type": "input_text", "text": "What is Parley?"}]
    await call.event("response.create")
    assert (await page.event("caption", role="user"))["text"] == "What is Parley?"
    assert "response.cancel" not in [event["type"] for event in call.received]
    await page.run("element.chat('And who made it?')")  # at once, before the first answer is known to be made
    await call.event("response.cancel")

    await page.run("element.speak('Word for word.')")
    assert (await call.event("avatar.say"))["text"] == "Word for word."
    await page.run("element.gesture('nod', 0.5)")
    assert await call.event("avatar.gesture") == {"type": "avatar.gesture", "gesture": "nod", "strength": 0.5}
    await page.run("element.manner(-0.5)")
    assert await call.event("avatar.manner") == {"type": "avatar.manner", "mood": -0.5, "gestures": 0.5}
    await page.run("element.configure({speed: 1.2})")
    assert (await call.event("session.update"))["session"] == {"type": "realtime", "audio": {"output": {"speed": 1.2}}}

    call.send("response.created", response={"id": "resp_1"})
    call.send("avatar.state", state="speaking")
    await page.event("agentstate", state="speaking")
    await page.button("Stop speaking").press("Escape")
    await call.event("response.cancel")
    await call.event("output_audio_buffer.clear")
    call.send("output_audio_buffer.cleared", response_id="resp_1")
    assert await page.event("interrupted") == {"responseId": "resp_1"}


async def test_a_denied_microphone_leaves_a_conversation_by_text(chromium: ChromiumFactory, fake: FakeServer) -> None:
    context = await chromium(grant_microphone=False)
    page = await ElementPage.open(context, element_page(fake))
    await page.button("Start talking").click()
    error = await page.event("error")
    assert (error["code"], error["retryable"]) == ("microphone_denied", False)
    await page.event("ready")
    await page.event("microphonestate", state="denied")
    assert "type instead" in await page.part("notice").inner_text()
    await page.part("input").fill("你好")
    await page.part("input").press("Enter")
    assert (await (await fake.call()).event("conversation.item.create"))["item"]["content"][0]["text"] == "你好"
    await context.grant_permissions(["microphone"])
    await page.button("Turn on microphone").click()
    await page.event("microphonestate", state="live")
    await asyncio.wait_for(fake.calls[0].heard.wait(), 10)
    assert len(fake.calls) == 1, "the microphone joined the call that was there"


NO_GESTURE = """
Object.defineProperty(navigator, 'userActivation', { value: { isActive: false } });
let clicked = false;
addEventListener('click', () => { clicked = true; }, true);
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () {
  return this.muted || clicked ? play.call(this) : Promise.reject(new DOMException('No gesture.', 'NotAllowedError'));
};
"""
"""What a browser does before the first click; playwright's own evaluation counts as one."""


@pytest.mark.parametrize("attributes", ["autostart", ""])
async def test_without_a_gesture_no_microphone_and_no_sound(
    chromium: ChromiumFactory, fake: FakeServer, attributes: str
) -> None:
    page = await ElementPage.open(await chromium(), element_page(fake, attributes), script=NO_GESTURE)
    if not attributes:
        await page.run("element.connect()")
    call = await fake.call()
    await page.event("ready")
    assert await page.run("element.microphoneState") == "off"
    assert not any(name == "microphonestate" for name, _ in page.events)
    assert await page.run("element.shadowRoot.querySelector('video').muted") is True
    await page.button("Turn on sound").click()
    await page.button("Turn on sound").wait_for(state="hidden")
    assert await page.run("element.shadowRoot.querySelector('video').muted") is False
    assert not call.heard.is_set()


async def test_an_insecure_page_says_why_it_has_no_microphone(chromium: ChromiumFactory, fake: FakeServer) -> None:
    context = await chromium(flags=("--host-resolver-rules=MAP plain.test 127.0.0.1",))
    url = element_page(fake).replace("127.0.0.1", "plain.test")
    page = await ElementPage.open(context, url)
    await page.button("Start talking").click()
    assert (await page.event("error"))["code"] == "insecure_page"
    await page.event("ready")
    assert await page.run("element.microphoneState") == "insecure"
    await page.part("input").wait_for()


async def test_a_full_server_is_explained_and_can_be_tried_again(chromium: ChromiumFactory, fake: FakeServer) -> None:
    refusal = {"error": {"type": "server_error", "code": "busy", "message": "All 8 places are taken.", "param": None}}
    fake.refusals = [(503, refusal, {"Retry-After": "5"})]
    page = await ElementPage.open(await chromium(), element_page(fake, 'lang="zh"'))
    await page.button("开始对话").click()
    error = await page.event("error")
    assert (error["code"], error["retryable"]) == ("busy", True)
    assert "请稍后再试" in await page.part("notice").inner_text()
    await page.button("重试").click()
    call = await fake.call()
    await page.event("ready")
    assert call.session["avatar"] == {"language": "zh"}
    assert not await page.part("notice").is_visible()


async def test_a_refused_token_is_not_retried_even_by_a_kiosk(chromium: ChromiumFactory, fake: FakeServer) -> None:
    fake.refusals = [(401, {"error": {"code": "invalid_api_key", "message": "Expired."}}, {})]
    page = await ElementPage.open(await chromium(), element_page(fake, 'mode="kiosk" autostart'))
    error = await page.event("error")
    assert (error["code"], error["retryable"]) == ("invalid_api_key", False)
    await page.event("connectionstate", state="disconnected")
    assert fake.calls == []


async def test_a_kiosk_keeps_trying_until_the_server_is_there(chromium: ChromiumFactory, fake: FakeServer) -> None:
    fake.refusals = [(503, {"error": {"code": "busy", "message": "Full."}}, {})] * 2
    page = await ElementPage.open(await chromium(), element_page(fake, 'mode="kiosk" autostart'))
    await page.event("ready")
    changes = [(detail["state"], detail["attempt"]) for name, detail in page.events if name == "connectionstate"]
    assert changes[-3:] == [("reconnecting", 2), ("reconnecting", 3), ("connected", 0)]


async def test_a_lost_connection_is_restored_and_the_microphone_with_it(
    chromium: ChromiumFactory, fake: FakeServer
) -> None:
    page = await ElementPage.open(await chromium(), element_page(fake))
    await page.button("Start talking").click()
    first = await fake.call()
    await page.event("ready")
    await page.event("microphonestate", state="live")
    first.send("avatar.caption", response_id="r", item_id="i", text="Half a ", start_ms=0, end_ms=1)
    await page.event("caption", text="Half a ")
    await first.drop()
    await page.event("connectionstate", state="reconnecting")
    await page.event("caption", text="Half a", final=True, interrupted=True)
    second = await fake.call(2)
    await asyncio.wait_for(second.heard.wait(), 10)
    assert await page.run("element.connectionState") == "connected"
    await page.run("element.disconnect()")
    await asyncio.wait_for(second.ended.wait(), 10)


@pytest.mark.slow
async def test_a_silent_server_is_noticed_by_its_missing_pongs(chromium: ChromiumFactory, fake: FakeServer) -> None:
    page = await ElementPage.open(await chromium(), element_page(fake))
    await page.run("element.connect()")
    first = await fake.call()
    first.answers_pings = False
    await page.event("connectionstate", state="reconnecting")
    assert first.pings >= 3
    await fake.call(2)
    await page.run("element.disconnect()")


async def test_a_conversation_that_the_server_ended_is_over(chromium: ChromiumFactory, fake: FakeServer) -> None:
    page = await ElementPage.open(await chromium(), element_page(fake))
    await page.run("element.connect()")
    call = await fake.call()
    call.send("error", error={"type": "server_error", "code": "idle_timeout", "message": "Quiet.", "retryable": True})
    assert (await page.event("error"))["code"] == "idle_timeout"
    await call.drop()
    await page.event("connectionstate", state="disconnected")
    await page.button("Try again").wait_for()
    assert len(fake.calls) == 1


async def test_leaving_the_page_hangs_up(chromium: ChromiumFactory, fake: FakeServer) -> None:
    page = await ElementPage.open(await chromium(), element_page(fake))
    await page.run("element.connect()")
    call = await fake.call()
    await page.page.goto("about:blank")
    await asyncio.wait_for(call.ended.wait(), 10)


async def test_disconnecting_while_connecting(chromium: ChromiumFactory, fake: FakeServer) -> None:
    page = await ElementPage.open(await chromium(), element_page(fake))
    outcome = "element.connect().then(() => 'connected', (error) => error.name)"
    outcome = await page.run(f"(() => {{ const end = {outcome}; element.disconnect(); return end; }})()")
    assert outcome == "AbortError"
    assert not any(name == "error" for name, _ in page.events)
    await page.run("element.connect()")
    assert await page.run("element.connectionState") == "connected"


async def test_muting_sends_silence(chromium: ChromiumFactory, fake: FakeServer) -> None:
    page = await ElementPage.open(await chromium(), element_page(fake, "muted"))
    await page.button("Start talking").click()
    call = await fake.call()
    await page.event("microphonestate", state="muted")
    await page.event("ready")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call.heard.wait(), 2.5)  # the fake microphone beeps once a second
    await page.button("Unmute microphone").click()
    await asyncio.wait_for(call.heard.wait(), 10)


async def test_what_a_server_says_is_never_markup(chromium: ChromiumFactory, fake: FakeServer) -> None:
    hostile = "<img src=x onerror=alert(1)><b>bold</b>"
    page = await ElementPage.open(await chromium(), element_page(fake, "captions"))
    await page.run("element.connect()")
    call = await fake.call()
    call.send("avatar.persona", name="x", display_name=hostile)
    call.send("avatar.caption", response_id="r", item_id="i", text=hostile, start_ms=0, end_ms=1)
    call.send("output_audio_buffer.stopped", response_id="r")
    call.send("error", error={"code": "odd", "message": hostile})
    await page.event("caption", final=True)
    await page.event("error", code="odd")
    assert await page.part("captions").inner_text() == hostile
    assert hostile in await page.part("notice").inner_text()
    assert await page.page.locator("digital-human b").count() == 0
    assert page.complaints == []


async def test_a_server_without_a_face_still_begins(chromium: ChromiumFactory) -> None:
    async with serving(FakeServer(video=False)) as fake:
        page = await ElementPage.open(await chromium(), element_page(fake))
        await page.run("element.connect()")
        assert await page.run("element.connectionState") == "connected"


async def test_embedded_on_another_origin_with_a_token(chromium: ChromiumFactory, fake: FakeServer) -> None:
    """The page's own server mints the token; the element goes to the server that its module came from."""
    async with serving(FakeServer()) as shop:
        url = element_page(shop, 'token-url="/token"', module=f"{fake.url}/digital-human.js")
        shop.policy = f"default-src 'none'; script-src {fake.url}; connect-src 'self' {fake.url}; img-src 'self'"
        page = await ElementPage.open(await chromium(), url)
        await page.button("Start talking").click()
        call = await fake.call()
        await page.event("ready")
        assert call.authorization == "Bearer ek_test"
        assert shop.calls == []
        await page.run("element.disconnect()")
        await asyncio.wait_for(call.ended.wait(), 10)
        assert page.complaints == []


async def test_every_control_has_a_name_and_room_for_a_finger(chromium: ChromiumFactory, fake: FakeServer) -> None:
    page = await ElementPage.open(await chromium(reduced_motion="reduce"), element_page(fake, "captions"))
    await page.page.keyboard.press("Tab")
    await page.page.keyboard.press("Enter")  # the first stop of the keyboard begins the conversation
    call = await fake.call()
    await page.event("ready")
    await page.button("Type a message").press("Enter")
    assert await page.run("element.shadowRoot.activeElement.tagName") == "INPUT"
    controls = await page.page.locator("digital-human").locator("button:visible, input:visible").all()
    assert len(controls) == 7
    for control in controls:
        box = await control.bounding_box()
        name = await control.get_attribute("aria-label") or await control.inner_text()
        assert name
        assert min(box["width"], box["height"]) >= 44, name
    log = page.page.locator("digital-human [role=log]")
    assert await log.get_attribute("aria-live") == "polite"
    call.send("avatar.caption", response_id="r", item_id="i", text="Only whole ", start_ms=0, end_ms=1)
    await page.event("caption", text="Only whole ")
    assert await log.inner_text() == ""
    call.send("output_audio_buffer.stopped", response_id="r")
    await page.event("caption", final=True)
    assert await log.inner_text() == "Avatar: Only whole"
    assert await page.part("mark").get_attribute("aria-label") == "You are talking with an AI-generated character."
    moving = "element.shadowRoot.getAnimations().length"
    call.send("avatar.state", state="thinking")
    await page.event("agentstate", state="thinking")
    assert await page.run(moving) == 0


async def test_a_floating_widget_unfolds_and_folds(chromium: ChromiumFactory, fake: FakeServer) -> None:
    page = await ElementPage.open(await chromium(), element_page(fake, 'mode="floating"'))
    assert not await page.part("panel").is_visible()
    await page.part("launcher").click()
    await page.button("Start talking").click()
    call = await fake.call()
    await page.event("ready")
    await page.button("Close").click()
    await asyncio.wait_for(call.ended.wait(), 10)
    assert await page.part("launcher").is_visible()


async def test_giving_up_at_any_moment_leaves_the_next_call_possible(
    chromium: ChromiumFactory, fake: FakeServer
) -> None:
    """A peer connection that is closed in the middle of negotiating leaves its promises open for ever."""
    page = await ElementPage.open(await chromium(), element_page(fake))
    for wait_ms in (0, 2, 5, 10, 20, 40, 80, 160):
        outcome = await page.run(
            f"""(async () => {{
              const given = element.connect().then(() => 'connected', (error) => error.name);
              await new Promise((resolve) => setTimeout(resolve, {wait_ms}));
              element.disconnect();
              return Promise.race([given, new Promise((resolve) => setTimeout(() => resolve('hangs'), 5000))]);
            }})()"""
        )
        assert outcome in ("AbortError", "connected"), f"after {wait_ms} ms: {outcome}"
    await page.run("element.connect()")
    assert await page.run("element.connectionState") == "connected"
