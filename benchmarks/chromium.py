"""Chromium: headless, offline but for the pages that it is given, with a WAV file as its microphone."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.recordings import RATE_HZ, read_sound, write_wav


class ChromiumMissing(Exception):
    """There is no Chromium (or no playwright to drive it) on this machine."""


STEP_SECONDS = 20
"""More than any single step of a page takes on two busy cores."""

FLAGS = (
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
)


def chromium_path() -> Path | None:
    """``PARLEY_CHROMIUM``, or the first Chromium or Chrome on the path."""
    named = os.environ.get("PARLEY_CHROMIUM")
    if named:
        return Path(named)
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        found = shutil.which(name)
        if found:
            return Path(found)
    return None


@asynccontextmanager
async def open_chromium(
    profile: Path,
    *,
    fake_microphone: Path | None = None,
    grant_microphone: bool = True,
    autoplay: bool = True,
    flags: tuple[str, ...] = (),
    **context_options: Any,
) -> AsyncIterator[Any]:
    """A browser with one context, gone with all of its processes at the end.

    Args:
        profile: a folder for its data that does not exist yet.
        fake_microphone: 16-bit PCM WAV that is heard once, from the moment that a page opens the microphone
            (``microphone_wav`` makes one); without it the microphone beeps once a second.
        grant_microphone: False answers the question for the microphone with no.
        autoplay: False holds sound back until there is a gesture, as an ordinary Chromium does.
        context_options: of playwright's ``launch_persistent_context`` (viewport, locale, color_scheme...).

    Raises:
        ChromiumMissing
    """
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        raise ChromiumMissing("playwright is not installed (pip install 'parley[test]')") from None
    executable = chromium_path()
    if executable is None or not executable.exists():
        raise ChromiumMissing("Chromium not found (apt install chromium, or set PARLEY_CHROMIUM)")
    arguments = [*FLAGS, "--use-fake-device-for-media-stream", *flags]
    if grant_microphone:
        arguments.append("--use-fake-ui-for-media-stream")
    if fake_microphone is not None:
        arguments.append(f"--use-file-for-fake-audio-capture={fake_microphone}%noloop")
    if autoplay:
        arguments.append("--autoplay-policy=no-user-gesture-required")
    ignored = ["--mute-audio"]  # muted, Chromium does not render the sound whose statistics tests read
    try:
        async with async_playwright() as playwright:
            context = await playwright.chromium.launch_persistent_context(
                str(profile),
                executable_path=str(executable),
                headless=True,
                args=arguments,
                ignore_default_args=ignored,
                timeout=STEP_SECONDS * 1000,
                **context_options,
            )
            context.set_default_timeout(STEP_SECONDS * 1000)
            try:
                yield context
            finally:
                async with asyncio.timeout(STEP_SECONDS):
                    await context.close()
    finally:
        kill_processes_of(profile)
        shutil.rmtree(profile, ignore_errors=True)


def kill_processes_of(profile: Path) -> None:
    """Ends what a crashed or hung browser left behind; its profile folder tells it from every other."""
    mine = f"--user-data-dir={profile}"
    for process in psutil.process_iter(["cmdline"]):
        if mine in (process.info["cmdline"] or []):
            for each in [*process.children(recursive=True), process]:
                try:
                    each.kill()
                    each.wait(5)
                except psutil.NoSuchProcess:
                    pass


def microphone_wav(source: Path, target: Path, *, before_s: float = 0.0, after_s: float = 5.0) -> Path:
    """A recording (any format that PyAV reads) as a WAV for ``fake_microphone``, with silence around it.

    Args:
        before_s: time for the page to connect before the voice begins.
        after_s: silence in which the turn ends; the file is not repeated.
    """
    before, after = (np.zeros(round(seconds * RATE_HZ), np.int16) for seconds in (before_s, after_s))
    return write_wav(target, np.concatenate([before, read_sound(source), after]))


def browser_errors() -> tuple[type[Exception], ...]:
    """What a page that hangs or crashes raises; none where there is no playwright to raise it."""
    try:
        from playwright.async_api import Error
    except ImportError:
        return ()
    return (Error,)
