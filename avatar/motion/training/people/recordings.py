"""Recordings of people that Debian distributes together with what is said in them: prompts of telephone exchanges, a game's dialogues."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from avatar.motion.training.synthesis.corpus import Split
from avatar.motion.training.synthesis.take import RATE_HZ

SHARE = Path("/usr/share")
"""Where Debian's packages put what they share."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Attributes:
    name: ours, of the shards.
    language: espeak-ng's, which reads the words.
    split: that this person is heard in, and in no other.
    licence: of the recordings.
    """

    name: str
    language: str
    split: Split
    licence: str


@dataclass(frozen=True, slots=True)
class Recording:
    """Attributes:
    path: a sound file.
    text: what is said in it.
    speaker: by whom.
    """

    path: Path
    text: str
    speaker: Speaker


_PROMPTS = {
    # folder of the sounds: (package with the words, speaker)
    "en_US_f_Allison": ("en", Speaker("allison-en", "en-US", Split.TRAIN, "CC-BY-SA-3.0, Allison Smith (Debian: asterisk-core-sounds-en-g722)")),
    "es_MX_f_Allison": ("es", Speaker("allison-es", "es-419", Split.TRAIN, "CC-BY-SA-3.0, Allison Smith (Debian: asterisk-core-sounds-es-g722)")),
    "fr_CA_f_June": ("fr", Speaker("june", "fr", Split.TRAIN, "CC-BY-SA-3.0, June Wallack (Debian: asterisk-core-sounds-fr-g722)")),
    "it_IT_m_Carlo": ("it", Speaker("carlo", "it", Split.VALID, "CC-BY-3.0, Carlo Flora (Debian: asterisk-core-sounds-it-g722)")),
    "ru_RU_f_IvrvoiceRU": ("ru", Speaker("ivrvoice", "ru", Split.PEOPLE, "CC-BY-3.0, Maxim Topal (Debian: asterisk-core-sounds-ru-g722)")),
}  # fmt: skip
_FISH = {
    # language of the dialogues, part: speaker; the Dutch ones often say something else than what is written
    ("cs", "m"): Speaker("fish-cs-small", "cs", Split.TRAIN, "GPL-2.0 (Debian: fillets-ng-data-cs)"),
    ("cs", "v"): Speaker("fish-cs-big", "cs", Split.TRAIN, "GPL-2.0 (Debian: fillets-ng-data-cs)"),
}

_NOT_SPEECH = re.compile(r"beep|tone|silence|monkeys|fpm|tt-")
_UNREADABLE = re.compile(r"[\[\]()<>{}@#*_=]|\w\?\w")
"""Remarks and signs in place of words, and letters lost in transcription."""
_DIALOGUE = re.compile(
    r'dialogId\("(?P<name>[^"]+)".*?\)\s*dialogStr\("(?P<text>(?:[^"\\]|\\.)*)"\)',
    re.DOTALL,
)


def installed(share: Path = SHARE) -> list[Recording]:
    """Every recording whose package is installed, in a fixed order."""
    return [*_prompts(share), *_dialogues(share)]


def read(path: Path) -> NDArray[np.int16]:
    """The sound at 16 kHz, mono int16 [samples].

    Raises:
        ValueError: it cannot be decoded.
    """
    pieces = []
    try:
        # A .g722 has no header to be known by.
        with av.open(str(path), format="g722" if path.suffix == ".g722" else None) as file:
            to_mono = av.AudioResampler("s16", "mono", RATE_HZ)
            for frame in [*file.decode(audio=0), None]:
                pieces += [piece.to_ndarray()[0] for piece in to_mono.resample(frame)]
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(f"{path.name}: {error}") from error
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int16)


def _prompts(share: Path) -> Iterator[Recording]:
    for folder, (package, speaker) in _PROMPTS.items():
        words = share / "doc" / f"asterisk-core-sounds-{package}" / f"core-sounds-{package}.txt.gz"
        if not words.exists():
            continue
        for line in gzip.decompress(words.read_bytes()).decode("utf-8", "replace").splitlines():
            name, colon, text = line.lstrip("\ufeff").partition(":")
            path = share / "asterisk" / "sounds" / folder / f"{name.strip()}.g722"
            if colon and _is_speech(name, text) and path.is_file():
                yield Recording(path, text.strip(), speaker)


def _dialogues(share: Path) -> Iterator[Recording]:
    game = share / "games" / "fillets-ng"
    for (language, part), speaker in _FISH.items():
        for script in sorted(game.glob(f"script/*/dialogs_{language}.lua")):
            for name, text in _lines(script).items():
                path = game / "sound" / script.parent.name / language / f"{name}.ogg"
                if name.split("-")[1:2] == [part] and _is_speech(name, text) and path.is_file():
                    yield Recording(path, text, speaker)


@cache
def _lines(script: Path) -> dict[str, str]:
    found = _DIALOGUE.finditer(script.read_text("utf-8", "replace"))
    return {line["name"]: line["text"].replace('\\"', '"').replace("\\n", " ") for line in found}


def _is_speech(name: str, text: str) -> bool:
    return bool(text.strip()) and not _NOT_SPEECH.search(name) and not _UNREADABLE.search(text)
