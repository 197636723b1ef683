"""Recordings of people that Debian distributes together with what is said in them: prompts of telephone exchanges, games' dialogues, words
for children."""

from __future__ import annotations

import gzip
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from avatar.motion.training.people import amazon_queen
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
    path: a sound file, or one that holds many.
    text: what is said in it.
    speaker: by whom.
    start, size: where in the file it lies, bytes; None is to the file's end.
    """

    path: Path
    text: str
    speaker: Speaker
    start: int = 0
    size: int | None = None


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

_STAMPS = {
    # language: where whoever names the pictures in it is heard; in other languages hardly anything is spoken
    **dict.fromkeys(("be", "bg", "ca", "da", "es", "fr", "ru"), Split.TRAIN),
    "el": Split.VALID,
    "ro": Split.PEOPLE,
}
_STAMPS_LICENCE = "GPL-2.0 (Debian: tuxpaint-stamps-default)"
_QUEEN = Path("scummvm", "flight-of-the-amazon-queen", "queen.1c")
_QUEEN_LICENCE = "the game's own: free to copy and to change, not to be sold by itself; John Passfield and Steven Stamatiadis (Debian: flight-of-the-amazon-queen)"
_SHORTEST_ROLE = 30
"""Lines. Whoever says less is an animal, or nearly."""

_NOT_SPEECH = re.compile(r"beep|tone|silence|monkeys|fpm|tt-")
_UNREADABLE = re.compile(r"[\[\]()<>{}@#*_=]|\w\?\w")
"""Remarks and signs in place of words, and letters lost in transcription."""
_DIALOGUE = re.compile(
    r'dialogId\("(?P<name>[^"]+)".*?\)\s*dialogStr\("(?P<text>(?:[^"\\]|\\.)*)"\)',
    re.DOTALL,
)


def installed(share: Path = SHARE) -> list[Recording]:
    """Every recording whose package is installed, in a fixed order."""
    return [*_prompts(share), *_dialogues(share), *_stamps(share), *_amazon_queen(share)]


def read(path: Path, start: int = 0, size: int | None = None) -> NDArray[np.int16]:
    """The sound at 16 kHz, mono int16 [samples].

    Args:
        path, start, size: see ``Recording``.

    Raises:
        ValueError: it cannot be decoded.
    """
    pieces = []
    try:
        with path.open("rb") as whole:
            whole.seek(start)
            sound = io.BytesIO(whole.read(-1 if size is None else size))
        # A .g722 has no header to be known by, a short MP3 too little of one.
        with av.open(sound, "r", format={".g722": "g722", ".1c": "mp3"}.get(path.suffix)) as file:
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


def _stamps(share: Path) -> Iterator[Recording]:
    """By language, so that a speaker's shards do not hang on what others have said."""
    stamps = share / "tuxpaint" / "stamps"
    described = sorted(stamps.glob("**/*.txt"))
    for language, split in _STAMPS.items():
        speaker = Speaker(f"stamps-{language}", language, split, _STAMPS_LICENCE)
        for path in described:
            sound = path.with_name(f"{path.stem}_desc_{language}.ogg")
            text = _translations(path).get(language, "")
            if sound.is_file() and _is_speech("", text):
                yield Recording(sound, text, speaker)


def _amazon_queen(share: Path) -> Iterator[Recording]:
    if not (share / _QUEEN).is_file():
        return
    try:
        said = [line for line in amazon_queen.lines(share / _QUEEN) if _is_speech("", line.text)]
    except amazon_queen.NotTheGame:  # another release of it
        return
    of_role = Counter(line.role for line in said)
    for line in said:
        if of_role[line.role] >= _SHORTEST_ROLE:
            speaker = Speaker(f"queen-{line.role}", "en-US", Split.TRAIN, _QUEEN_LICENCE)
            yield Recording(share / _QUEEN, line.text, speaker, line.start, line.size)


@cache
def _lines(script: Path) -> dict[str, str]:
    found = _DIALOGUE.finditer(script.read_text("utf-8", "replace"))
    return {line["name"]: line["text"].replace('\\"', '"').replace("\\n", " ") for line in found}


@cache
def _translations(path: Path) -> dict[str, str]:
    lines = path.read_text("utf-8", "replace").splitlines()
    found = (line.partition(".utf8=") for line in lines[1:])
    return {language: text.strip() for language, equals, text in found if equals}


def _is_speech(name: str, text: str) -> bool:
    return bool(text.strip()) and not _NOT_SPEECH.search(name) and not _UNREADABLE.search(text)
