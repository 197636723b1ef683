"""The demo page in Chromium: whom to talk with, settings, read-outs, and that it fits its screens."""

from __future__ import annotations

import pytest

from tests.browser import ChromiumFactory
from tests.web_client.fake_server import FakeServer
from tests.web_client.pages import ElementPage

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
TABLET = {"width": 768, "height": 1024}
DESKTOP = {"width": 1440, "height": 900}


async def test_choosing_somebody_and_asking_a_suggested_question(chromium: ChromiumFactory, fake: FakeServer) -> None:
    context = await chromium(viewport=DESKTOP)
    page = await ElementPage.open(context, fake.url)
    headline = page.page.locator("h1")
    await headline.get_by_text("Talk with Helen.").wait_for()
    await page.page.get_by_role("radio", name="Mei").check()
    await headline.get_by_text("Talk with Mei.").wait_for()
    await page.page.get_by_role("button", name="What is Parley?").click()
    call = await fake.call()
    assert call.session["avatar"] == {"persona": "mei"}
    assert (await call.event("conversation.item.create"))["item"]["content"][0]["text"] == "What is Parley?"
    lines = page.page.locator("#transcript li")
    await lines.get_by_text("What is Parley?").wait_for()
    call.send("avatar.caption", response_id="r", item_id="i", text="A <b>face</b>.", start_ms=0, end_ms=1)
    call.send("output_audio_buffer.cleared", response_id="r")
    await lines.get_by_text("interrupted").wait_for()
    assert [await line.get_attribute("class") for line in await lines.all()] == ["user", "assistant"]
    assert "A <b>face</b>." in await lines.last.inner_text()

    stages = {"endpointing": 230, "transcription": 90, "thinking": 40, "synthesis": 120, "rendering": 110}
    call.send("avatar.latency", response_id="r", stages=stages, total_ms=590)
    await page.page.locator("#latency-total").get_by_text("0.59 s").wait_for()
    assert "Turn end 230 ms" in (await page.page.locator("#latency-stages").inner_text()).replace("\n", " ")
    await page.page.locator("#quality").click()
    await page.page.locator("#quality-list").get_by_text("256×256").wait_for()

    await page.page.reload()
    await headline.get_by_text("Talk with Mei.").wait_for()
    thumbnails = [text for text in page.complaints if "404" in text]
    assert page.complaints == thumbnails, "the scripted server has no thumbnails; nothing else is missing"


async def test_settings_are_sent_and_kept(chromium: ChromiumFactory, fake: FakeServer) -> None:
    page = await ElementPage.open(await chromium(viewport=DESKTOP), fake.url)
    await page.run("element.connect()")
    call = await fake.call()
    await page.page.get_by_role("button", name="Settings").click()
    dialog = page.page.get_by_role("dialog", name="Settings")
    await dialog.get_by_label("Quick").check()
    update = await call.event("session.update")
    assert update["session"]["audio"]["input"]["turn_detection"] == {"type": "semantic_vad", "eagerness": "high"}
    call.received.clear()
    await dialog.get_by_label("Voice").select_option("cmn")
    assert (await call.event("session.update"))["session"]["audio"] == {"output": {"voice": "cmn"}}
    await dialog.get_by_role("switch", name="Captions").uncheck()
    assert await page.run("element.hasAttribute('captions')") is False
    await dialog.get_by_label("Dark").check()
    assert await page.run("getComputedStyle(document.documentElement).colorScheme") == "dark"
    await dialog.get_by_label("Language").select_option("zh")
    await page.page.get_by_text("响应时间").wait_for(state="attached")
    await page.page.keyboard.press("Escape")
    await dialog.wait_for(state="hidden")

    await page.page.reload()
    await page.page.get_by_role("button", name="开始对话").click()
    again = await fake.call(2)
    assert again.session == {
        "type": "realtime",
        "audio": {
            "input": {
                "transcription": {"language": "zh"},
                "turn_detection": {"type": "semantic_vad", "eagerness": "high"},
            },
            "output": {"voice": "cmn"},
        },
        "avatar": {"persona": "helen", "language": "zh"},
    }
    assert await page.run("element.hasAttribute('captions')") is False


async def test_a_server_with_a_key_asks_for_it_and_tokens_are_minted(
    chromium: ChromiumFactory, fake: FakeServer
) -> None:
    fake.key = "secret"
    page = await ElementPage.open(await chromium(), fake.url)
    dialog = page.page.get_by_role("dialog")
    await dialog.get_by_label("Server key").fill("wrong")
    await dialog.get_by_role("button", name="Continue").click()
    await dialog.get_by_text("The API key is not valid.").wait_for()
    await dialog.get_by_label("Server key").fill("secret")
    await dialog.get_by_role("button", name="Continue").click()
    await page.page.locator("h1").get_by_text("Talk with Helen.").wait_for()
    await page.button("Start talking").click()
    assert (await fake.call()).authorization == "Bearer ek_test"
    assert "secret" not in await page.run("JSON.stringify([localStorage, sessionStorage])")


async def test_a_link_to_the_bare_element_sets_its_looks_but_not_its_server(
    chromium: ChromiumFactory, fake: FakeServer
) -> None:
    query = "persona=mei&captions&lang=zh&endpoint=https://evil.test&token-url=https://evil.test"
    page = await ElementPage.open(await chromium(viewport=PHONE), f"{fake.url}/embed.html?{query}#ek_given")
    await page.button("开始对话").click()
    call = await fake.call()
    assert call.authorization == "Bearer ek_given"
    assert call.session["avatar"] == {"persona": "mei", "language": "zh"}
    assert await page.run("element.hasAttribute('endpoint') || element.hasAttribute('token-url')") is False


@pytest.mark.parametrize("viewport", [PHONE, TABLET, DESKTOP], ids=["phone", "tablet", "desktop"])
async def test_the_page_fits_its_screen(chromium: ChromiumFactory, fake: FakeServer, viewport: dict[str, int]) -> None:
    page = await ElementPage.open(await chromium(viewport=viewport), fake.url)
    await page.page.locator("h1").get_by_text("Helen").wait_for()
    start = await page.part("start").bounding_box()
    assert start["y"] + start["height"] <= viewport["height"], "the one button is seen without scrolling"
    stage = await page.part("stage").bounding_box()
    assert stage["width"] >= min(340, viewport["width"] * 0.85)
    await page.button("Start talking").click()
    call = await fake.call()
    await page.event("ready")
    dock = await page.part("dock").bounding_box()
    assert dock["y"] + dock["height"] <= viewport["height"], "and so are the controls"
    long = "unbreakable" * 30
    call.send("conversation.item.input_audio_transcription.completed", item_id="u", transcript=long)
    await page.page.locator("#transcript li").first.wait_for()
    assert await page.run("document.documentElement.scrollWidth - innerWidth") <= 0
    for control in await page.page.locator("header button:visible, .layout button:visible").all():
        box = await control.bounding_box()
        assert min(box["width"], box["height"]) >= 44


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_stands_out_from_what_is_behind_it(chromium: ChromiumFactory, fake: FakeServer, scheme: str) -> None:
    """WCAG 2.2 AA, 4.5:1, for text on plain ground."""
    page = await ElementPage.open(await chromium(viewport=DESKTOP, color_scheme=scheme), fake.url)
    await page.run("element.connect()")
    call = await fake.call()
    call.send("conversation.item.input_audio_transcription.completed", item_id="u", transcript="Hello")
    call.send("avatar.latency", response_id="r", stages={"thinking": 40}, total_ms=590)
    await page.page.locator("#latency-total").get_by_text("0.59 s").wait_for()
    pairs = await page.run(CONTRASTS)
    assert len(pairs) > 6
    for text, ratio in pairs:
        assert ratio >= 4.5, (text, ratio)


CONTRASTS = """(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const over = (colours) => {  // painted one over the other on white
    canvas.fillStyle = '#fff';
    canvas.fillRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => rgb.map((value) => value / 255)
    .map((value) => (value <= .04045 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4))
    .reduce((sum, value, index) => sum + value * [.2126, .7152, .0722][index], 0);
  const measured = [];
  for (const node of document.querySelectorAll('h1, h2, p, li, button span, .persona span, output, legend')) {
    if (!node.checkVisibility() || !node.textContent.trim()) continue;
    const grounds = [];
    for (let each = node; each; each = each.parentElement) grounds.unshift(getComputedStyle(each).backgroundColor);
    const [a, b] = [over([...grounds, getComputedStyle(node).color]), over(grounds)].map(luminance);
    measured.push([node.textContent.trim().slice(0, 30), (Math.max(a, b) + .05) / (Math.min(a, b) + .05)]);
  }
  return measured;
})()"""
