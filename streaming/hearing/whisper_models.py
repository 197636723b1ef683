"""Whisper models by name, and where they lie on this machine. Nothing here downloads.

Names and repositories are faster-whisper's own (``faster_whisper.available_models()``); they are repeated because
importing it takes a second and loads ctranslate2. A test holds the two equal.
"""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORIES = {
    "tiny": "Systran/faster-whisper-tiny",
    "tiny.en": "Systran/faster-whisper-tiny.en",
    "base": "Systran/faster-whisper-base",
    "base.en": "Systran/faster-whisper-base.en",
    "small": "Systran/faster-whisper-small",
    "small.en": "Systran/faster-whisper-small.en",
    "medium": "Systran/faster-whisper-medium",
    "medium.en": "Systran/faster-whisper-medium.en",
    "large-v1": "Systran/faster-whisper-large-v1",
    "large-v2": "Systran/faster-whisper-large-v2",
    "large-v3": "Systran/faster-whisper-large-v3",
    "large": "Systran/faster-whisper-large-v3",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "distil-small.en": "Systran/faster-distil-whisper-small.en",
    "distil-medium.en": "Systran/faster-distil-whisper-medium.en",
    "distil-large-v2": "Systran/faster-distil-whisper-large-v2",
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
    "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
}

PREFERRED = (
    "small", "base", "small.en", "distil-small.en", "base.en", "tiny", "tiny.en", "turbo", "distil-large-v3.5",
    "distil-large-v3", "medium", "medium.en", "distil-medium.en", "distil-large-v2", "large-v3", "large-v2", "large-v1",
)  # fmt: skip
"""Which to take where several are on disk and none was named: the best that answers in time on a CPU come first."""

_NEEDED = ("model.bin", "config.json", "tokenizer.json")


def missing_files(folder: Path) -> list[str]:
    """What a folder lacks to be a Whisper model for faster-whisper; empty when it is one.

    tokenizer.json is optional to faster-whisper, which would download it: not here.
    """
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if not any(folder.glob("vocabulary.*")):
        missing.append("vocabulary.json (or .txt)")
    return missing


def find_whisper_model(models: Path | None, wanted: str | None = None) -> Path | None:
    """The folder of a Whisper model that is complete on this machine.

    Args:
        models: Parley's own folder of models (``data_dir / "models"``), if it is to be searched; Hugging Face's cache
            is searched after it.
        wanted: a name ("small"), a repository ("Systran/faster-whisper-small") or a folder; None for the best there is.
    """
    if wanted is not None:
        return _find(models, wanted)
    for name in PREFERRED:
        if found := _find(models, name):
            return found
    return None


def _find(models: Path | None, wanted: str) -> Path | None:
    folder = Path(wanted).expanduser()
    if wanted not in REPOSITORIES and folder.is_dir():  # "small" is the model, "./small" the folder
        return None if missing_files(folder) else folder
    repository = REPOSITORIES.get(wanted, wanted)
    if repository.count("/") != 1:
        return None
    names = [wanted, *(name for name, repo in REPOSITORIES.items() if repo == repository and name != wanted)]
    for own in [models / folder_name(name) for name in names] if models is not None else ():
        if own.is_dir() and not missing_files(own):
            return own
    return _in_hugging_face_cache(repository)


def folder_name(name: str) -> str:
    """Of a model in the folder of models: its name, or "owner--name" of a repository."""
    return name.replace("/", "--")


def shown_name(folder: Path) -> str:
    """What people call the model in this folder: in Hugging Face's cache the folder itself is named by a commit."""
    cached = folder.parent.parent.name
    if not cached.startswith("models--"):
        return folder.name.replace("--", "/")
    repository = cached.removeprefix("models--").replace("--", "/")
    return next((name for name, known in REPOSITORIES.items() if known == repository), repository)


def hugging_face_cache() -> Path:
    """Where Hugging Face's libraries keep what they downloaded (their own environment variables)."""
    if cache := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(cache).expanduser()
    home = os.environ.get("HF_HOME")
    if not home:
        home = os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return Path(home).expanduser() / "hub"


def _in_hugging_face_cache(repository: str) -> Path | None:
    folder = hugging_face_cache() / f"models--{repository.replace('/', '--')}"
    try:
        commit = (folder / "refs" / "main").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    snapshot = folder / "snapshots" / commit
    return snapshot if commit and snapshot.is_dir() and not missing_files(snapshot) else None
