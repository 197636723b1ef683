"""OpenAIChat against a local server that speaks the protocol, badly where told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from llm_bridge.chat import ChatOptions, Message
from llm_bridge.errors import ModelBroken, ModelUnavailable
from llm_bridge.openai_chat import BACKOFF_S, ChatStream, OpenAIChat
from tests.llm_bridge.fake_endpoint import Exchange, Handler, endpoint

HELLO = [Message("system", "Be brief."), Message("user", "Hello")]


class Model:
    """An OpenAIChat whose sleeps are recorded, not slept."""

    def __init__(self, base_url: str, timeout_s: float = 5.0, **options: object) -> None:
        self.slept: list[float] = []
        self.chat = OpenAIChat(
            model="test", base_url=base_url, timeout_s=timeout_s, sleep=self._sleep, jitter=lambda: 0.5, **options
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def __aenter__(self) -> Model:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.chat.close()


async def answer(stream: AsyncIterator[str]) -> list[str]:
    return [delta async for delta in stream]


async def plain(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.delta("")
    for delta in ("Hel", "lo", " there."):
        await exchange.delta(delta)
    await exchange.delta(finish="stop")
    await exchange.done()


async def test_streams_text_and_drops_empty_deltas() -> None:
    async with endpoint(plain) as server, Model(server.base_url, api_key="secret") as model:
        stream = model.chat.stream(HELLO, ChatOptions(temperature=0.2, max_output_tokens=50))
        assert await answer(stream) == ["Hel", "lo", " there."]
        assert not stream.truncated
    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer secret"
    assert request.body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
    ]
    assert (request.body["temperature"], request.body["max_tokens"]) == (0.2, 50)


async def test_needs_no_key_and_reads_none_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "must-not-leave")
    async with endpoint(plain) as server, Model(server.base_url) as model:
        await answer(model.chat.stream(HELLO))
    assert "must-not-leave" not in str(server.requests[0].headers)
    assert "temperature" not in server.requests[0].body


async def test_reasoning_is_not_spoken_and_empty_chunks_are_harmless() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.event({"id": "c", "object": "x", "created": 1, "model": "m", "choices": []})
        await exchange.delta(None, reasoning_content="the user greets me")
        await exchange.delta("Hi.")
        await exchange.done()

    async with endpoint(handler) as server, Model(server.base_url) as model:
        assert await answer(model.chat.stream(HELLO)) == ["Hi."]


async def test_reasoning_within_the_text_is_not_spoken_either() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.head()
        for delta in ("<th", "ink>the user", " greets</think>", "\n\n", "Hi.", " <"):
            await exchange.delta(delta)
        await exchange.done()

    async with endpoint(handler) as server, Model(server.base_url) as model:
        assert await answer(model.chat.stream(HELLO)) == ["Hi.", " <"]


async def test_tells_when_the_limit_cut_the_answer() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.delta("One two")
        await exchange.delta(finish="length")
        await exchange.done()

    async with endpoint(handler) as server, Model(server.base_url) as model:
        stream = model.chat.stream(HELLO)
        assert isinstance(stream, ChatStream)
        assert await answer(stream) == ["One two"]
        assert stream.truncated


@pytest.mark.parametrize(
    ("status", "advice", "retried"),
    [
        (401, "PARLEY_CHAT_API_KEY", 0),
        (403, "PARLEY_CHAT_API_KEY", 0),
        (404, "PARLEY_CHAT_MODEL", 0),
        (400, "refused the request", 0),
        (429, "quota", 2),
        (500, "has failed", 2),
        (503, "has failed", 2),
    ],
)
async def test_refusals_say_what_to_check(status: int, advice: str, retried: int) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.refuse(status, "the provider's words")

    async with endpoint(handler) as server, Model(server.base_url) as model:
        with pytest.raises(ModelUnavailable, match=advice) as caught:
            await answer(model.chat.stream(HELLO))
    assert len(server.requests) == 1 + retried
    assert model.slept == [BACKOFF_S, 2 * BACKOFF_S][:retried]
    assert caught.value.retryable == (status >= 429)
    assert "Hello" not in str(caught.value)


async def test_a_retry_that_succeeds_is_not_noticed() -> None:
    async def handler(exchange: Exchange) -> None:
        if exchange.number == 1:
            await exchange.refuse(503)
        else:
            await plain(exchange)

    async with endpoint(handler) as server, Model(server.base_url) as model:
        assert "".join(await answer(model.chat.stream(HELLO))) == "Hello there."


@pytest.mark.parametrize(("asked", "slept"), [("1.5", [1.5, 1.5]), ("60", []), ("soon", [BACKOFF_S, 2 * BACKOFF_S])])
async def test_retry_after_is_obeyed_unless_it_is_long(asked: str, slept: list[float]) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.refuse(429, retry_after=asked)

    async with endpoint(handler) as server, Model(server.base_url) as model:
        with pytest.raises(ModelUnavailable):
            await answer(model.chat.stream(HELLO))
    assert model.slept == slept


async def test_an_exhausted_quota_is_not_retried() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.refuse(429, "You exceeded your quota", x_code="insufficient_quota")

    async with endpoint(handler) as server, Model(server.base_url) as model:
        with pytest.raises(ModelUnavailable, match="exceeded your quota"):
            await answer(model.chat.stream(HELLO))
    assert model.slept == []


async def hang(exchange: Exchange) -> None:
    await asyncio.Event().wait()


async def hang_after_head(exchange: Exchange) -> None:
    await exchange.head()
    await asyncio.Event().wait()


@pytest.mark.parametrize("handler", [hang, hang_after_head])
async def test_a_hanging_endpoint_is_given_up_once(handler: Handler) -> None:
    async with endpoint(handler) as server, Model(server.base_url, timeout_s=0.2) as model:
        with pytest.raises(ModelUnavailable, match=r"did not answer within 0\.2 s"):
            await answer(model.chat.stream(HELLO))
        await asyncio.wait_for(server.hung_up.wait(), 5)
    assert len(server.requests) == 1


async def test_nobody_listening() -> None:
    async with endpoint(plain) as server:
        gone = server.base_url
    async with Model(gone) as model:
        with pytest.raises(ModelUnavailable, match="PARLEY_CHAT_BASE_URL"):
            await answer(model.chat.stream(HELLO))
    assert len(model.slept) == 2


async def break_off(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.delta("What came ")
    exchange.writer.transport.abort()


async def break_with_error(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.delta("What came ")
    await exchange.event({"error": {"message": "the machine is on fire"}})
    await asyncio.Event().wait()


async def break_with_garbage(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.delta("What came ")
    await exchange.send(b"data: {not json\n\n")
    await asyncio.Event().wait()


async def fall_silent(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.delta("What came ")
    await asyncio.Event().wait()


@pytest.mark.parametrize("handler", [break_off, break_with_error, break_with_garbage, fall_silent])
async def test_what_came_before_a_failure_stands(handler: Handler) -> None:
    async with endpoint(handler) as server, Model(server.base_url, timeout_s=0.5) as model:
        came: list[str] = []
        with pytest.raises(ModelBroken, match="broke off"):
            async for delta in model.chat.stream(HELLO):
                came.append(delta)
    assert came == ["What came "]
    assert model.slept == []


async def html(exchange: Exchange) -> None:
    await exchange.head(200, "text/html")
    await exchange.send(b"<html>Welcome to nginx</html>")
    await exchange.end()


async def test_a_page_instead_of_a_stream_is_an_answer_without_text() -> None:
    async with endpoint(html) as server, Model(server.base_url) as model:
        with pytest.raises(ModelUnavailable, match="without any text") as caught:
            await answer(model.chat.stream(HELLO))
    assert not caught.value.retryable


async def test_closing_the_stream_closes_the_connection_at_once() -> None:
    async with endpoint(fall_silent) as server, Model(server.base_url) as model:
        stream = model.chat.stream(HELLO)
        assert await anext(stream) == "What came "
        await stream.aclose()
        await asyncio.wait_for(server.hung_up.wait(), 1)


@pytest.mark.parametrize("handler", [hang, fall_silent])
async def test_cancelling_closes_the_connection_at_once(handler: Handler) -> None:
    async with endpoint(handler) as server, Model(server.base_url) as model:
        task = asyncio.create_task(answer(model.chat.stream(HELLO)))
        await asyncio.wait_for(server.asked.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.hung_up.wait(), 1)


async def test_openai_itself_gets_the_new_name_of_the_limit() -> None:
    async with endpoint(plain) as server:
        model = OpenAIChat(model="m", api_key="k")
        model._client.base_url = server.base_url
        await answer(model.stream(HELLO, ChatOptions(max_output_tokens=9)))
        await model.close()
    assert server.requests[0].body["max_completion_tokens"] == 9
