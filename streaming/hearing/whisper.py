"""faster-whisper: the default wherever a Whisper model is on disk; many languages, punctuation, partial transcripts."""

from __future__ import annotations

import json
from pathlib import Path

from streaming.errors import EngineUnavailable
from streaming.hearing.helper import HelperTranscriber
from streaming.hearing.whisper_models import REPOSITORIES, find_whisper_model, missing_files, shown_name

_MULTILINGUAL_VOCABULARY = 51_865
"""Whisper's English-only models have one token less (51 864)."""


class WhisperTranscriber(HelperTranscriber):
    """One helper process serves all conversations: the model is large, and its decodes use every core.

    Args:
        model: a name ("small"), a repository, or a folder; see ``whisper_models.find_whisper_model``.
        models: folder in which named models lie; needed for names only.
        device: "auto" takes a GPU where ctranslate2 can use one (float16), else the CPU (int8).

    Raises:
        EngineUnavailable: the model is not on disk (nothing is downloaded here), or not complete.
    """

    def __init__(self, model: str | Path, *, models: Path | None = None, device: str = "auto") -> None:
        wanted = str(model)
        folder = find_whisper_model(models, wanted)
        if folder is None:
            raise EngineUnavailable(_why_not(wanted, models))
        super().__init__(
            name=f"faster-whisper {shown_name(folder)}",
            languages=("en",) if _english_only(folder) else (),
            engine="faster-whisper",
            options={"folder": str(folder.resolve()), "device": device},
            processes=1,
        )
        self.folder = folder


def _why_not(wanted: str, models: Path | None) -> str:
    folder = Path(wanted).expanduser()
    if wanted not in REPOSITORIES and folder.is_dir():
        return (
            f"{folder} is not a Whisper model for faster-whisper: it lacks {', '.join(missing_files(folder))}."
            " It must be converted with ct2-transformers-converter --copy_files tokenizer.json preprocessor_config.json"
        )
    if wanted in REPOSITORIES:
        return (
            f"The Whisper model {wanted!r} is not on disk (looked in {models or 'no folder of models'} and in Hugging Face's"
            " cache)."
            f" Fetch it: parley models fetch {wanted}"
        )
    return (
        f"{wanted!r} is neither a Whisper model's folder nor the name of a model; names are"
        f" {', '.join(REPOSITORIES)}. Fetch one: parley models fetch small"
    )


def _english_only(folder: Path) -> bool:
    """By the vocabulary's size, as ctranslate2 decides it."""
    as_json = folder / "vocabulary.json"
    try:
        if as_json.is_file():
            return len(json.loads(as_json.read_text("utf-8"))) < _MULTILINGUAL_VOCABULARY
        return (folder / "vocabulary.txt").read_bytes().count(b"\n") < _MULTILINGUAL_VOCABULARY - 1
    except (OSError, ValueError) as error:
        raise EngineUnavailable(f"The vocabulary of the Whisper model in {folder} cannot be read: {error}") from error
