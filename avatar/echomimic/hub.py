"""Released weights from where they are published, asked for by name and never unasked."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx2
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from huggingface_hub.utils.tqdm import tqdm

from avatar.echomimic.released import (
    WHISPER_LICENCE,
    WHISPER_SHA256,
    WHISPER_URL,
    ReleasedFile,
    Variant,
    release,
    stored,
)
from avatar.errors import WeightsError

WHISPER_BYTES = 75_600_000
"""About the size of OpenAI's tiny.pt; its server is not asked before the download."""


class Hub(Protocol):
    """Where files come from; tests have one of their own."""

    def sizes(self, repository: str) -> dict[str, int]:
        """Bytes of every file of a repository."""

    def fetch(self, repository: str, name: str, folder: Path) -> Path:
        """Download ``name`` under ``folder`` (at the same relative path), with a progress bar."""

    def fetch_whisper(self, path: Path) -> None:
        """Download Whisper-tiny to ``path``, checked."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A file to fetch.

    Attributes:
        file: which.
        repository: from where; empty for OpenAI's own server.
        size: bytes, as the server says.
        licence: as its page names it.
    """

    file: ReleasedFile
    repository: str
    size: int
    licence: str


class HuggingFace:
    """The hub through ``huggingface_hub``: resumable; HF_ENDPOINT names a mirror, HF_TOKEN is used where set."""

    def sizes(self, repository: str) -> dict[str, int]:
        try:
            found = HfApi().model_info(repository, files_metadata=True)
        except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
            raise WeightsError(f"{repository} cannot be looked up on the hub: {_first_line(error)}") from None
        return {one.rfilename: one.size or 0 for one in found.siblings or []}

    def fetch(self, repository: str, name: str, folder: Path) -> Path:
        try:
            return Path(hf_hub_download(repository, name, local_dir=folder))
        except (HfHubHTTPError, LocalEntryNotFoundError, httpx2.HTTPError, OSError) as error:
            raise WeightsError(
                f"{name} of {repository} could not be fetched: {_first_line(error)} "
                "What has arrived is kept: the same command goes on from there."
            ) from None

    def fetch_whisper(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        digest = hashlib.sha256()
        try:
            with (
                httpx2.stream("GET", WHISPER_URL, follow_redirects=True, timeout=60) as answer,
                partial.open("wb") as file,
            ):
                answer.raise_for_status()
                with tqdm(total=WHISPER_BYTES, unit="B", unit_scale=True, desc=path.name) as bar:
                    for block in answer.iter_bytes(1 << 20):
                        digest.update(block)
                        file.write(block)
                        bar.update(len(block))
            if digest.hexdigest() != WHISPER_SHA256:
                raise WeightsError(f"What {WHISPER_URL} sent is not Whisper-tiny: its SHA-256 is {digest.hexdigest()}.")
            partial.replace(path)
        except (httpx2.HTTPError, OSError) as error:
            raise WeightsError(f"{WHISPER_URL} could not be fetched: {_first_line(error)}") from None
        finally:
            partial.unlink(missing_ok=True)


def plan(hub: Hub, folder: Path, variant: Variant, *, repository: str | None = None) -> list[Planned]:
    """What has to be fetched for a variant that ``folder`` does not have yet; the base is not among it.

    Args:
        hub: where from.
        folder: of weights, in the released layout.
        variant: which.
        repository: instead of the authors' one for the four main files.

    Raises:
        WeightsError: a repository cannot be looked up, or lacks a file.
    """
    of = release(variant)
    sizes: dict[str, dict[str, int]] = {}
    planned = []
    for file in of.files():
        if file is of.base or stored(folder, file) is not None:
            continue
        if file.source is None:
            planned.append(Planned(file, "", WHISPER_BYTES, WHISPER_LICENCE))
            continue
        main = file.source is of.denoiser.source
        origin = repository if main and repository else file.source.repository
        if origin not in sizes:
            sizes[origin] = hub.sizes(origin)
        if file.name not in sizes[origin]:
            raise WeightsError(f"{origin} has no file {file.name}.")
        planned.append(Planned(file, origin, sizes[origin][file.name], file.source.licence))
    return planned


def fetch(hub: Hub, folder: Path, planned: list[Planned], progress: Callable[[str], None] | None = None) -> None:
    """Download what was planned.

    Raises:
        WeightsError: the first file that could not be fetched; those before it stay. Or too little space.
    """
    size = sum(one.size for one in planned)
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < size:
        raise WeightsError(f"{folder} has {free / 1e9:.1f} GB free; {size / 1e9:.1f} GB are needed.")
    for one in planned:
        target = folder / one.file.path
        if progress is not None:
            progress(one.file.path)
        if not one.repository:
            hub.fetch_whisper(target)
            continue
        # A repository's root lies where the file's released path minus its name in the repository does.
        root = Path(one.file.path.removesuffix(one.file.name))
        got = hub.fetch(one.repository, one.file.name, folder / root)
        if not target.is_file():
            raise WeightsError(f"{one.file.name} of {one.repository} was to lie at {target}, but came to {got}.")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
