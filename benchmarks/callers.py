"""Several visitors at once, in a process of their own: ``python -m benchmarks.callers URL RECORDINGS COUNT SECONDS``.

Each lives through the same scripted twenty seconds again and again, three of which are the minute of the measure: six
seconds in which it speaks, eight in which it is spoken to, six in which nobody says anything. They begin one after the
other, so that their turns spread out. Prints a line when all are under way, and one JSON object at the end.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.caller import Caller
from benchmarks.recordings import RATE_HZ, utterances

ROUND_S = 20.0
LISTENING_S = 6.0
SPEAKING_S = 8.0
SETTLE_S = 4.0
"""A call's first seconds (keyframes, DTLS) are not the conversation's cost."""

STAY_S = 2.0
"""Calls outlast the measured time, so that whoever looks at the server's processes at its end still finds them."""

QUESTIONS = ("What is Parley?", "How does it work?", "Which hardware do I need?", "Can I use my own picture?")
FILLING = (
    "Here is a little more, so that there is something to listen to. Every word of it is spoken and shown as any "
    "other would be. The lips move with the sound, the eyes wander and blink, and the head sways a little. "
    "It goes on for as long as this part of the minute lasts, and then there is silence again."
)
UNDER_WAY = "under way"


@dataclass(frozen=True, slots=True)
class Watched:
    """What one caller received in the measured time.

    Attributes:
        sound_late_ms, picture_late_ms: of every beat (see ``Arrivals.lateness_ms``).
        speaking_s, listening_s: how long the avatar, and the caller, were heard.
        answers: turns that were answered.
        errors: messages of error events.
    """

    sound_late_ms: list[float]
    picture_late_ms: list[float]
    speaking_s: float
    listening_s: float
    answers: int
    errors: list[str]


def voice_of(recordings: Path, seconds: float = LISTENING_S) -> NDArray[np.int16]:
    """Utterances one after the other, 0.2 s apart, just ``seconds`` long: short enough pauses to be one turn."""
    pause = np.zeros(RATE_HZ // 5, np.int16)
    parts: list[NDArray[np.int16]] = []
    for utterance in utterances(recordings):
        parts += [utterance.pcm48k, pause]
        if sum(len(part) for part in parts) >= seconds * RATE_HZ:
            break
    return np.concatenate(parts)[: round(seconds * RATE_HZ)]


async def live(caller: Caller, voice: NDArray[np.int16], first: int) -> None:
    """Round after round, until cancelled."""
    number = first
    while True:
        began = time.monotonic()
        caller.microphone.say(voice)
        await asyncio.sleep(LISTENING_S)
        if await _speaks(caller, since=began):
            await _spoken_to(caller, QUESTIONS[number % len(QUESTIONS)])
        number += 1
        await asyncio.sleep(max(0.0, began + ROUND_S - time.monotonic()))


async def _speaks(caller: Caller, *, since: float, patience_s: float = 6.0) -> bool:
    """Whether an answer begins within a few seconds of the caller's last word."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if any(event["at"] > since + LISTENING_S / 2 for event in caller.of("output_audio_buffer.started")):
            return True
        await asyncio.sleep(0.05)
    return False


async def _spoken_to(caller: Caller, question: str) -> None:
    """The answer that has just begun, then that to a typed question, then filling: eight seconds in all."""
    until = time.monotonic() + SPEAKING_S
    asked = [partial(caller.ask, question), *[partial(caller.send, "avatar.say", text=FILLING)] * 3]
    while (left := until - time.monotonic()) > 0:
        if asked and not speaking(caller.events):
            asked.pop(0)()
            await asyncio.sleep(min(left, 0.4))
        await asyncio.sleep(0.05)
    caller.send("response.cancel")


def speaking(events: list[dict[str, Any]]) -> bool:
    """Whether the avatar is being heard after all of ``events``."""
    kinds = [event["type"] for event in events if event["type"].startswith("output_audio_buffer.")]
    return bool(kinds) and kinds[-1] == "output_audio_buffer.started"


def heard_s(events: list[dict[str, Any]], begin: str, ends: tuple[str, ...], since: float, until: float) -> float:
    """Seconds between ``begin`` and the first of ``ends`` after it, within ``since`` and ``until``."""
    total, at = 0.0, None
    for event in events:
        if event["type"] == begin and at is None:
            at = event["at"]
        elif event["type"] in ends and at is not None:
            total += max(0.0, min(event["at"], until) - max(at, since))
            at = None
    return total + (max(0.0, until - max(at, since)) if at is not None else 0.0)


def watched(caller: Caller, since: float, until: float) -> Watched:
    stops = ("output_audio_buffer.stopped", "output_audio_buffer.cleared")
    return Watched(
        sound_late_ms=caller.sound.lateness_ms(48_000, 20, since=since, until=until).round(1).tolist(),
        picture_late_ms=caller.video.lateness_ms(90_000, 40, since=since, until=until).round(1).tolist(),
        speaking_s=round(heard_s(caller.events, "output_audio_buffer.started", stops, since, until), 1),
        listening_s=round(
            heard_s(
                caller.events,
                "input_audio_buffer.speech_started",
                ("input_audio_buffer.speech_stopped",),
                since,
                until,
            ),
            1,
        ),
        answers=sum(since < event["at"] < until for event in caller.of("output_audio_buffer.started")),
        errors=[event["error"]["message"] for event in caller.of("error") if since < event["at"] < until],
    )


async def run(url: str, recordings: Path, count: int, seconds: float) -> dict[str, Any]:
    """Raises ConnectionError, TimeoutError (a call that was not taken), NoRecordings."""
    voice = voice_of(recordings)
    callers: list[Caller] = []
    lives: list[asyncio.Task[None]] = []
    try:
        for number in range(count):
            caller = Caller(url)
            await caller.__aenter__()
            callers.append(caller)
            lives.append(asyncio.create_task(live(caller, voice, number)))
            await asyncio.sleep(ROUND_S / count if number + 1 < count else SETTLE_S)
        print(UNDER_WAY, flush=True)
        since, cpu = time.monotonic(), time.process_time()
        await asyncio.sleep(seconds)
        until, cpu = time.monotonic(), time.process_time() - cpu
        await asyncio.sleep(STAY_S)
        for life in lives:
            if life.done():
                await life  # raises what ended it
        return {
            "callers": [asdict(watched(caller, since, until)) for caller in callers],
            "clients_cpu_s_a_second": cpu / (until - since),
        }
    finally:
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
        for caller in callers:
            await caller.hang_up()
            await caller.__aexit__(None, None, None)


def main() -> None:
    url, recordings, count, seconds = sys.argv[1:]
    print(json.dumps(asyncio.run(run(url, Path(recordings), int(count), float(seconds)))), flush=True)


if __name__ == "__main__":
    main()
