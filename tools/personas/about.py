"""Who the built-in personas are."""

from __future__ import annotations

from avatar.create import About

SOURCE = "Drawn for Parley by tools/personas: code only, no photograph, tracing or trained model."
CONSENT = "Shows no real person."
LICENCE = "Apache-2.0"


def _about(display_name: str, *locales: str, voices: tuple[str, ...]) -> About:
    """``voices``: of espeak-ng, then of OpenAI-compatible endpoints."""
    return About(display_name, locales, SOURCE, CONSENT, LICENCE, voices)


ABOUT = {
    "helen": _about("Helen", "en", "de", "fr", voices=("annie", "nova")),
    "mei": _about("Mei", "zh-Hans", "en", voices=("alicia", "shimmer")),
    "arjun": _about("Arjun", "en", "hi", voices=("adam", "onyx")),
}
