"""Helper processes that die, do not start, or are many."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import psutil
import pytest

from streaming.errors import EngineUnavailable, TranscriptionFailed
from streaming.hearing import sphinx
from streaming.hearing.helper import HelperProcess, HelperTranscriber
from streaming.hearing.sphinx import SphinxTranscriber
from tests.streaming.hearing.conftest import noise

ANSWER_S = 30.0


def helper(transcriber: HelperTranscriber, slot: int = 0) -> HelperProcess:
    made = transcriber._helpers[slot]
    assert made is not None
    return made


async def test_a_killed_engine_fails_its_segments_and_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    transcriber = SphinxTranscriber(processes=1)
    await transcriber.warm_up()
    stream = transcriber.open()
    stream.feed(noise(2.0))
    asked = asyncio.create_task(stream.transcribe())
    await asyncio.sleep(0)
    pid = helper(transcriber).pid
    assert pid is not None
    with caplog.at_level(logging.CRITICAL, "streaming"):
        psutil.Process(pid).kill()
        async with asyncio.timeout(ANSWER_S):
            with pytest.raises(TranscriptionFailed, match="Say it again") as failure:
                await asked
            assert failure.value.retryable
            stream.feed(noise(0.1))
            with pytest.raises(TranscriptionFailed, match="ended with code -9"):
                await stream.transcribe()
            await stream.close()
            await helper(transcriber).ready  # a new one was started at once
            again = transcriber.open()
            again.feed(noise(0.5))
            assert (await again.transcribe()).duration_ms == 500
    assert helper(transcriber).pid != pid
    await transcriber.close()
    assert not [child for child in psutil.Process().children() if "helper_main" in " ".join(child.cmdline())]


async def test_an_engine_that_cannot_load_says_why() -> None:
    transcriber = HelperTranscriber(name="none", languages=(), engine="abacus", options={}, processes=1)
    async with asyncio.timeout(ANSWER_S):
        with pytest.raises(EngineUnavailable, match="unknown engine 'abacus'"):
            await transcriber.warm_up()
        stream = transcriber.open()
        stream.feed(noise(0.1))
        with pytest.raises(TranscriptionFailed, match="abacus"):
            await stream.transcribe()
    await transcriber.close()


async def test_a_program_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise FileNotFoundError("python has gone")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", fail)
    transcriber = SphinxTranscriber(processes=1)
    with pytest.raises(EngineUnavailable, match="python has gone"):
        await transcriber.warm_up()
    await transcriber.close()


async def test_segments_are_spread_over_the_processes() -> None:
    transcriber = SphinxTranscriber(processes=2)
    streams = [transcriber.open() for _ in range(4)]
    assert [helper(transcriber, slot).open_segments for slot in (0, 1)] == [2, 2]
    for stream in streams:
        await stream.close()
    assert helper(transcriber).open_segments == 0
    await transcriber.close()


async def test_an_engine_that_is_closed_before_it_was_used() -> None:
    transcriber = SphinxTranscriber()
    await transcriber.close()
    transcriber.open()
    await transcriber.close()


async def test_packets_reach_the_engine_together_and_none_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    transcriber = SphinxTranscriber(processes=1)
    stream = transcriber.open()
    sent: list[list[Any]] = []
    with monkeypatch.context() as patched:
        patched.setattr(helper(transcriber), "send", sent.append)
        sound = noise(1.05)
        for start in range(0, len(sound), 320):
            stream.feed(sound[start : start + 320])
        assert [message[0] for message in sent] == ["feed"] * 10
        asked = asyncio.create_task(stream.transcribe())
        await asyncio.sleep(0)
        assert [message[0] for message in sent[10:]] == ["feed", "transcribe"]
        assert b"".join(message[2] for message in sent[:11]) == sound.tobytes()
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    await stream.close()
    await transcriber.close()


async def test_sound_for_a_stalled_engine_is_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("streaming.hearing.helper._UNSENT_MAX_BYTES", 200_000)
    transcriber = SphinxTranscriber(processes=1)
    await transcriber.warm_up()
    pid = helper(transcriber).pid
    assert pid is not None
    psutil.Process(pid).suspend()
    stream = transcriber.open()
    with caplog.at_level(logging.CRITICAL, "streaming"):
        for _ in range(20):
            stream.feed(noise(1.0))
        with pytest.raises(TranscriptionFailed, match="stopped taking sound"):
            await stream.transcribe()
        await transcriber.close()


def test_without_pocketsphinx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sphinx.importlib.util, "find_spec", lambda name: None)  # type: ignore[attr-defined]
    with pytest.raises(EngineUnavailable, match="pip install pocketsphinx"):
        SphinxTranscriber()
