"""Looks for whatever can stop a visitor from talking on this machine, and names the cure."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import httpx2

from avatar.errors import AvatarError
from server.config import Settings
from server.engines import Choice, build_engines, choose
from server.security.exposure import check_exposure
from streaming.errors import StreamingError

ENDPOINT_TIMEOUT_S = 5.0
FIRST_BEAT_TIMEOUT_S = 15.0


class Verdict(StrEnum):
    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes:
        subject: "microphone", "port", "hearing", ...
        verdict: a PROBLEM stops visitors; a NOTE is worth knowing.
        message: what was found.
        cure: what to do; empty where nothing is wrong.
    """

    subject: str
    verdict: Verdict
    message: str
    cure: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Findings as they are made, quick ones first. Sends nothing beyond this machine but one request to each
    endpoint that is configured."""
    yield _python()
    yield from _exposure(settings)
    yield _microphone(settings)
    yield _tcp_port(settings)
    yield _udp_ports(settings)
    yield _data_dir(settings)
    yield from _codecs()
    try:
        choices = choose(settings)
    except StreamingError as error:
        yield Finding("engines", Verdict.PROBLEM, str(error), "Set the engine to auto, or do what is said here.")
        return
    for choice in choices:
        yield Finding(choice.seam, Verdict.OK, f"{choice.engine}: {choice.why}")
        yield from _endpoint(settings, choice)
    yield _voice_activity()
    yield _whole_path(settings)
    yield _persona_maker()


def _python() -> Finding:
    cores = os.cpu_count() or 1
    version = ".".join(map(str, sys.version_info[:3]))
    if cores < 2:
        return Finding("machine", Verdict.NOTE, f"Python {version}, one core: picture and hearing will compete")
    return Finding("machine", Verdict.OK, f"Python {version}, {cores} cores")


def _exposure(settings: Settings) -> Iterator[Finding]:
    for problem in check_exposure(settings):
        yield Finding("access", Verdict.PROBLEM, problem.message, problem.cure)


def _microphone(settings: Settings) -> Finding:
    server = settings.server
    if server.tls_cert is not None:
        return Finding("microphone", Verdict.OK, "pages come over HTTPS, so browsers offer the microphone")
    if server.trusted_proxies:
        return Finding(
            "microphone",
            Verdict.NOTE,
            "pages come through a proxy; browsers offer the microphone only where it speaks HTTPS",
            "Open the page by its https:// address.",
        )
    return Finding(
        "microphone",
        Verdict.OK,
        "without HTTPS, browsers offer the microphone only on http://localhost: open the page by that name, on this machine",
        "For other machines: `parley cert`, then `parley serve --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem`.",
    )


def _tcp_port(settings: Settings) -> Finding:
    host, port = settings.server.host, settings.server.port
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return Finding(
            "port",
            Verdict.PROBLEM,
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            "If Parley is running already, this is it. Otherwise set PARLEY_SERVER_PORT, or --port 0.",
        )
    return Finding("port", Verdict.OK, f"{host}:{port} is free")


def _udp_ports(settings: Settings) -> Finding:
    low, high = settings.webrtc.udp_port_min, settings.webrtc.udp_port_max
    candidates = range(low, high + 1) if low is not None and high is not None else range(1)
    free = 0
    for port in candidates:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", port))
                free += 1
            except OSError:
                continue
    if low is None or high is None:
        verdict = Verdict.OK if free else Verdict.PROBLEM
        return Finding("media", verdict, "UDP ports are chosen by the system; a firewall must let them through")
    if free == 0:
        return Finding(
            "media", Verdict.PROBLEM, f"no UDP port of {low}-{high} is free", "Widen webrtc.udp_port_min..max."
        )
    if free < settings.server.max_conversations:
        return Finding(
            "media",
            Verdict.NOTE,
            f"{free} free UDP ports in {low}-{high}, but up to {settings.server.max_conversations} conversations",
            "A conversation takes one port per local address: widen webrtc.udp_port_min..max.",
        )
    return Finding("media", Verdict.OK, f"{free} UDP ports are free in {low}-{high}")


def _data_dir(settings: Settings) -> Finding:
    path = settings.data_dir
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return Finding(
            "data",
            Verdict.PROBLEM,
            f"cannot write to {path}: {error.strerror}",
            "Set PARLEY_DATA_DIR to a folder of yours.",
        )
    return Finding("data", Verdict.OK, f"personas and models are kept in {path}")


def _codecs() -> Iterator[Finding]:
    import av

    wanted = {
        "libvpx": "VP8 pictures",
        "libopus": "sound",
        "libx264": "H.264 pictures and files",
        "aac": "sound in files",
    }
    missing = [f"{name} ({what})" for name, what in wanted.items() if name not in av.codecs_available]
    if missing:
        yield Finding(
            "codecs",
            Verdict.PROBLEM,
            f"PyAV {av.__version__} lacks {', '.join(missing)}",
            "Install PyAV from its wheel: pip install --force-reinstall --only-binary av av",
        )
    else:
        yield Finding("codecs", Verdict.OK, f"VP8, H.264, Opus and AAC are in PyAV {av.__version__}")


def _endpoint(settings: Settings, choice: Choice) -> Iterator[Finding]:
    section = {"hearing": settings.hearing, "chat": settings.chat, "speaking": settings.speaking}[choice.seam]
    if choice.engine != "openai" or section.base_url is None:
        return
    key = section.api_key.get_secret_value() if section.api_key else "none"
    url = section.base_url.rstrip("/") + "/models"
    try:
        answer = httpx2.get(url, headers={"Authorization": f"Bearer {key}"}, timeout=ENDPOINT_TIMEOUT_S)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        yield Finding(
            choice.seam,
            Verdict.PROBLEM,
            f"{section.base_url} does not answer: {error or type(error).__name__}",
            f"Start it, or correct PARLEY_{choice.seam.upper()}_BASE_URL (it usually ends in /v1).",
        )
        return
    if answer.status_code in (401, 403):
        yield Finding(
            choice.seam,
            Verdict.PROBLEM,
            f"{section.base_url} refuses the key ({answer.status_code})",
            f"Correct PARLEY_{choice.seam.upper()}_API_KEY.",
        )
    elif answer.status_code >= 400:
        yield Finding(
            choice.seam,
            Verdict.NOTE,
            f"{section.base_url} answers, but lists no models ({answer.status_code} on /models)",
        )
    else:
        yield Finding(choice.seam, Verdict.OK, f"{section.base_url} answers")


def _voice_activity() -> Finding:
    from streaming.hearing.voice import find_model

    try:
        path = find_model()
    except StreamingError as error:
        return Finding("voice activity", Verdict.PROBLEM, str(error), "Reinstall faster-whisper.")
    return Finding("voice activity", Verdict.OK, f"Silero VAD ({Path(path).name})")


def _whole_path(settings: Settings) -> Finding:
    """Starts the engines and makes one spoken beat, as for a visitor."""
    try:
        millis = asyncio.run(asyncio.wait_for(_first_spoken_beat(settings), FIRST_BEAT_TIMEOUT_S))
    except (StreamingError, AvatarError) as error:
        return Finding("face", Verdict.PROBLEM, str(error), "Try `parley avatar list`, then PARLEY_AVATAR_PERSONA.")
    except TimeoutError:
        return Finding(
            "face",
            Verdict.PROBLEM,
            f"no picture within {FIRST_BEAT_TIMEOUT_S:.0f} s",
            "The machine may be overloaded; try again.",
        )
    return Finding(
        "face", Verdict.OK, f"{settings.avatar.persona} said a word; first beat {millis:.0f} ms after its text"
    )


async def _first_spoken_beat(settings: Settings) -> float:
    from avatar.persona import find_persona
    from server.conversations import worker_spec

    persona = find_persona(settings.avatar.persona, settings.data_dir / "personas")
    engines = build_engines(settings)
    try:
        worker = await engines.worker_pool.acquire(worker_spec(settings, persona, settings.avatar.codec, "en"))
        try:
            began = asyncio.get_running_loop().time()
            async for spoken in engines.synthesizer.speak("Hello.", language="en"):
                worker.speak(1, spoken.speech)
            worker.finish(1)
            worker.grant(50)
            async for beat in worker.beats():
                if beat.utterance == 1:
                    break
            return (asyncio.get_running_loop().time() - began) * 1000
        finally:
            await worker.close()
    finally:
        await engines.close()


def _persona_maker() -> Finding:
    import numpy as np

    from avatar.landmarks import find_faces

    try:
        find_faces(np.zeros((64, 64, 3), np.uint8))
    except AvatarError as error:
        return Finding("avatar create", Verdict.NOTE, str(error))
    return Finding("avatar create", Verdict.OK, "MediaPipe is here: pictures can become personas")
