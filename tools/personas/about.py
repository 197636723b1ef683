"""Who the built-in personas are."""

from __future__ import annotations

from avatar.create import About

SOURCE = "Drawn for Parley by tools/personas: code only, no photograph, tracing or trained model."
CONSENT = "Shows no real person."
LICENCE = "Apache-2.0"


def _about(display_name: str, *locales: str) -> About:
    return About(display_name, locales, SOURCE, CONSENT, LICENCE)


ABOUT = {
    "helen": _about("Helen", "en", "de", "fr"),
    "mei": _about("Mei", "zh-Hans", "en"),
    "arjun": _about("Arjun", "en", "hi"),
}
