"""espeak-ng in its helper process: what it says, and what happens when the process does not do as it should."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import pytest_asyncio

from streaming.errors import EngineUnavailable, SynthesisFailed
from streaming.helper_process import helper_environment
from streaming.speaking import espeak
from streaming.speaking.espeak import MAX_CHARACTERS, EspeakSynthesizer
from streaming.speaking.synthesizer import SpokenChunk


@pytest_asyncio.fixture
async def voice() -> AsyncIterator[EspeakSynthesizer]:
    synthesizer = EspeakSynthesizer()
    yield synthesizer
    await synthesizer.close()


async def speak(synthesizer: EspeakSynthesizer, text: str, language: str = "en", **options: object) -> SpokenChunk:
    (chunk,) = [chunk async for chunk in synthesizer.speak(text, language=language, **options)]  # type: ignore[arg-type]
    return chunk


def symbols(chunk: SpokenChunk) -> list[str]:
    return [phoneme.symbol for phoneme in chunk.speech.phonemes or () if phoneme.symbol]


def pid(voice: EspeakSynthesizer) -> int:
    assert voice._helper is not None
    return voice._helper._process.pid


async def test_phonemes_are_ipa_with_stress_apart(voice: EspeakSynthesizer) -> None:
    chunk = await speak(voice, "Hello, paper!")
    assert symbols(chunk) == ["h", "ə", "l", "oʊ", "p", "eɪ", "p", "ɚ"]
    assert [phoneme.symbol for phoneme in chunk.speech.phonemes or () if phoneme.stressed] == ["oʊ", "eɪ"]


async def test_mandarin_is_read_from_characters(voice: EspeakSynthesizer) -> None:
    """银行 is yin hang, 行长 hang zhang, 重要 zhong yao: words decide how a character is read."""
    bank = await speak(voice, "银行行长。", "zh")
    assert symbols(bank) == ["j", "i", "n", "x", "ɑ", "ŋ", "x", "ɑ", "ŋ", "ʈʂ", "ɑ", "ŋ"]
    assert [(word.start, word.end) for word in bank.words] == [(0, 2), (2, 5)]
    again = symbols(await speak(voice, "重要，重新。", "cmn"))
    assert again[0] == "ʈʂ" and "ʈʂʰ" in again
    assert not any(char in symbol for symbol in again for char in ".123456789[-")


async def test_words_cover_the_text_as_written(voice: EspeakSynthesizer) -> None:
    text = 'She said "it is 3.50," don\'t you think — right?'
    words = (await speak(voice, text)).words
    assert " ".join(text[word.start : word.end] for word in words) == text
    assert '3.50,"' in [text[word.start : word.end] for word in words]


async def test_a_stop_includes_its_closure(voice: EspeakSynthesizer) -> None:
    """Lips shut before they open: the phoneme begins in silence."""
    chunk = await speak(voice, "a paper")
    (first, _) = [phoneme for phoneme in chunk.speech.phonemes or () if phoneme.symbol == "p"]
    at = round(first.start_ms * 48) + 480
    assert np.abs(chunk.speech.pcm48k[at : at + 480]).max() < 200
    assert 40 <= first.end_ms - first.start_ms <= 150


async def test_begins_at_once_and_ends_with_the_pause_of_its_mark(voice: EspeakSynthesizer) -> None:
    pauses = {}
    for mark in (".", ",", ""):
        pcm = (await speak(voice, f"Hello there{mark}")).speech.pcm48k
        audible = np.flatnonzero(np.abs(pcm) > 300)
        assert audible[0] < 48 * 15
        pauses[mark] = (len(pcm) - audible[-1]) / 48
    assert 250 < pauses["."] < 400 and 110 < pauses[","] < 250 and pauses[""] < 150


@pytest.mark.parametrize("name", ["annie", "zac", "m1", "max", "whisper", "klatt4"])
async def test_loudness_is_even_and_never_clips(voice: EspeakSynthesizer, name: str) -> None:
    pcm = (await speak(voice, "How can I help you on this fine day?", voice=name)).speech.pcm48k.astype(float)
    voiced = pcm[np.abs(pcm) > 60]
    level_db = 20 * np.log10(np.sqrt(np.mean(voiced**2)) / 32768)
    assert -23 < level_db < -17
    assert np.abs(pcm).max() < 32767


@pytest.mark.parametrize(
    ("language", "text"),
    [("en-AU", "Hello"), ("de", "Guten Tag"), ("pt-BR", "Olá"), ("zh-Hant-TW", "你好"), ("zh-HK", "你好"), ("es-MX", "Hola"),
     ("no", "Hei du"), ("ja", "こんにちは"), ("fr-CA", "Bonjour"), ("ru", "Привет")],
)  # fmt: skip
async def test_languages_by_their_tags(voice: EspeakSynthesizer, language: str, text: str) -> None:
    assert len(symbols(await speak(voice, text, language))) > 2


async def test_accents_and_variants(voice: EspeakSynthesizer) -> None:
    american, british = await speak(voice, "Hot water"), await speak(voice, "Hot water", voice="en-gb+annie")
    assert "ɑː" in symbols(american) and "ɒ" in symbols(british)
    assert symbols(await speak(voice, "你好", "cmn", voice="en-gb+annie")) == symbols(await speak(voice, "你好", "cmn"))


async def test_what_it_cannot_speak_is_said(voice: EspeakSynthesizer) -> None:
    with pytest.raises(SynthesisFailed, match="language 'tlh'"):
        await speak(voice, "Qapla", "tlh")
    with pytest.raises(SynthesisFailed, match="no voice 'alloy'"):
        await speak(voice, "Hello", voice="alloy")
    with pytest.raises(SynthesisFailed, match=str(MAX_CHARACTERS)):
        await speak(voice, "x" * (MAX_CHARACTERS + 1))
    assert symbols(await speak(voice, "Hello"))


@pytest.mark.parametrize(
    "text", ["\0\0Hi\0there", "\ud800 Hi", "Hi \U0001f600 there", "[[h@l'oU]] <b>Hi</b> &amp;", "́̂̃ Hi", "x" * 1500]
)
async def test_strange_texts(voice: EspeakSynthesizer, text: str) -> None:
    chunk = await speak(voice, text)
    assert all(word.end <= len(text) for word in chunk.words)


async def test_nothing_audible_is_no_sound(voice: EspeakSynthesizer) -> None:
    assert [chunk async for chunk in voice.speak("。", language="cmn")] == []


async def test_a_killed_helper_is_replaced_and_the_sentence_spoken(voice: EspeakSynthesizer) -> None:
    before = await speak(voice, "Hello")
    first = pid(voice)
    os.kill(first, signal.SIGKILL)
    after = await speak(voice, "Hello")
    assert pid(voice) != first
    assert symbols(after) == symbols(before)


async def test_a_hanging_helper_is_replaced(voice: EspeakSynthesizer, monkeypatch: pytest.MonkeyPatch) -> None:
    await voice.warm_up()
    first = pid(voice)
    monkeypatch.setattr(espeak, "_REPLY_TIMEOUT_S", 0.3)
    os.kill(first, signal.SIGSTOP)
    waiting = [asyncio.create_task(speak(voice, "Hello")), asyncio.create_task(speak(voice, "Hello again"))]
    await asyncio.sleep(0.5)
    monkeypatch.setattr(espeak, "_REPLY_TIMEOUT_S", 10.0)
    assert all(symbols(chunk) for chunk in await asyncio.gather(*waiting))
    assert pid(voice) != first
    assert not psutil.pid_exists(first)


async def test_a_sentence_that_kills_it_twice_fails_alone(
    voice: EspeakSynthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = espeak._Helper.request

    async def deadly(self: espeak._Helper, request: dict[str, object]) -> dict[str, object]:
        if request["text"] == "deadly":
            self._process.kill()
            await self._process.wait()
        return await real(self, request)

    monkeypatch.setattr(espeak._Helper, "request", deadly)
    with pytest.raises(SynthesisFailed, match="failed twice"):
        await speak(voice, "deadly")
    assert symbols(await speak(voice, "Hello"))


async def test_nonsense_from_the_helper_is_a_failure(
    voice: EspeakSynthesizer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "fake"
    fake.write_text(
        f"#!{sys.executable}\n"
        + textwrap.dedent(
            """
            import sys, msgpack
            def write(message):
                body = msgpack.packb(message)
                sys.stdout.buffer.write(len(body).to_bytes(4, "little") + body); sys.stdout.buffer.flush()
            write({"languages": ["en-us"], "variants": ["Annie"]})
            sys.stdin.buffer.read(4)
            write(["what"])
            sys.stdin.buffer.read()
            """
        )
    )
    fake.chmod(0o755)
    monkeypatch.setattr(espeak.sys, "executable", str(fake))
    with pytest.raises(SynthesisFailed, match="nonsense"):
        await speak(voice, "Hello")


@pytest.mark.parametrize("script", ["exit 3", "printf '\\003\\000\\000'"])
async def test_a_helper_that_does_not_start(
    voice: EspeakSynthesizer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str
) -> None:
    fake = tmp_path / "fake"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setattr(espeak.sys, "executable", str(fake))
    with pytest.raises(SynthesisFailed, match="does not start"):
        await speak(voice, "Hello")


async def test_without_its_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "espeakng_loader" else real(name))
    with pytest.raises(EngineUnavailable, match="pip install espeakng-loader"):
        EspeakSynthesizer()


async def test_a_library_that_cannot_be_loaded(
    voice: EspeakSynthesizer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "espeakng_loader"
    package.mkdir()
    (package / "__init__.py").write_text(
        "def get_data_path(): return '/nowhere'\ndef get_library_path(): return '/nowhere/libespeak-ng.so'\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(EngineUnavailable, match="cannot be loaded"):
        await speak(voice, "Hello")


async def test_the_library_stays_out_of_this_process(voice: EspeakSynthesizer) -> None:
    """It is GPL: only the helper may hold it."""
    await speak(voice, "Hello")
    mine = {Path(mapped.path).name for mapped in psutil.Process().memory_maps() if "espeak" in mapped.path}
    theirs = {Path(mapped.path).name for mapped in psutil.Process(pid(voice)).memory_maps() if "espeak" in mapped.path}
    assert not mine and "libespeak-ng.so" in theirs


async def test_closing_ends_the_process(voice: EspeakSynthesizer) -> None:
    await voice.warm_up()
    helper = pid(voice)
    await voice.close()
    await voice.close()
    assert not psutil.pid_exists(helper)
    assert symbols(await speak(voice, "It comes back when asked."))


def test_the_helper_ends_with_its_parent(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "streaming.speaking.espeak_helper"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=tmp_path,
        env=helper_environment(),
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=20) == 0
