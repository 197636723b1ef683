"""Speech models: what there is, what is on disk, and fetching one. Nothing is downloaded unless asked for.

No checksums are written down here, because those in use are the hub's: every commit on the hub names the SHA-256 of
each large file and the Git object id of each small one. A fetch is pinned to one commit, checked against these, and
recorded with SHA-256 sums of all files in ``parley-model.json`` beside the model.

ModelError                the model cannot be had; the text says why and what to do
├── UnknownModel          no such name
├── HubUnreachable        network, DNS, proxy, or the hub itself
├── NotOnHub              the hub has no such repository, or it is not a Whisper model for faster-whisper
├── Damaged               what arrived is not what the hub describes
└── CannotStore           disk full, no permission, or being fetched by another process
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import httpx2

from streaming.hearing import whisper_models
from streaming.hearing.whisper_models import REPOSITORIES, folder_name, missing_files

HUB = "https://huggingface.co"
WANTED_FILES = ("config.json", "preprocessor_config.json", "model.bin", "tokenizer.json", "vocabulary.*")
"""What faster-whisper itself fetches of a repository."""
RECORD = "parley-model.json"
MARGIN_BYTES = 64 * 2**20
"""Left free on the disk."""
_TRIES = 5
"""Of one file, each going on where the last broke off."""
_TIMEOUT = httpx2.Timeout(30.0, connect=10.0)


class ModelError(Exception):
    """Base; ``str(error)`` is fit for a user."""


class UnknownModel(ModelError):
    pass


class HubUnreachable(ModelError):
    pass


class NotOnHub(ModelError):
    pass


class Damaged(ModelError):
    pass


class CannotStore(ModelError):
    pass


@dataclass(frozen=True, slots=True)
class Model:
    """An entry of the catalogue.

    Attributes:
        megabytes: about; the hub tells exactly.
        languages: "English" or "99 languages".
        note: what it is good for.
    """

    name: str
    megabytes: int
    languages: str
    note: str
    licence: str = "MIT"

    @property
    def repository(self) -> str:
        return REPOSITORIES[self.name]


_MANY = "99 languages"
CATALOGUE = (
    Model("tiny", 78, _MANY, "for very weak machines; many mistakes"),
    Model("tiny.en", 78, "English", "for very weak machines"),
    Model("base", 148, _MANY, "quick on two cores"),
    Model("base.en", 148, "English", "quick on two cores"),
    Model("small", 486, _MANY, "recommended for a CPU"),
    Model("small.en", 486, "English", "a little better than small in English"),
    Model("medium", 1530, _MANY, "eight cores or a GPU"),
    Model("medium.en", 1530, "English", "eight cores or a GPU"),
    Model("large-v1", 3090, _MANY, "superseded by large-v3"),
    Model("large-v2", 3090, _MANY, "a GPU"),
    Model("large-v3", 3090, _MANY, "a GPU; the most accurate"),
    Model("turbo", 1620, _MANY, "recommended for a GPU: large-v3 with a small decoder"),
    Model("distil-small.en", 336, "English", "quicker than small.en"),
    Model("distil-medium.en", 792, "English", "quicker than medium.en"),
    Model("distil-large-v2", 1520, "English", "a GPU"),
    Model("distil-large-v3", 1520, "English", "a GPU"),
    Model("distil-large-v3.5", 1520, "English", "a GPU"),
)
"""Sizes are of the float16 weights on the hub. The weights are OpenAI's (MIT) and distil-whisper's (MIT)."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """Attributes:
    sha256: of the content, where the hub gives it (large files).
    git_sha1: Git's object id, for the others.
    """

    path: str
    size: int
    sha256: str | None
    git_sha1: str | None


@dataclass(frozen=True, slots=True)
class Release:
    """What the hub has under a name, at one commit."""

    name: str
    repository: str
    commit: str
    licence: str
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


Progress = Callable[[str, int, int], None]
"""Called with the file's name, and how many bytes are there of how many, all files together."""


def models_folder(data_dir: Path) -> Path:
    return data_dir / "models"


def find_whisper_model(data_dir: Path, wanted: str | None = None) -> Path | None:
    """The folder of a complete Whisper model on this machine; see ``streaming.hearing.whisper_models``."""
    return whisper_models.find_whisper_model(models_folder(data_dir), wanted)


def hub_url() -> str:
    """``HF_ENDPOINT`` names a mirror, as for Hugging Face's own tools."""
    return (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")


def open_client() -> httpx2.Client:
    """Proxies and certificates come from the environment (HTTPS_PROXY, SSL_CERT_FILE)."""
    return httpx2.Client(timeout=_TIMEOUT, follow_redirects=True)


def look_up(client: httpx2.Client, wanted: str) -> Release:
    """Ask the hub what is to be fetched.

    Args:
        wanted: a name of the catalogue, or a repository ("owner/name").

    Raises:
        ModelError
    """
    repository = REPOSITORIES.get(wanted, wanted)
    if repository.count("/") != 1:
        raise UnknownModel(f"There is no model {wanted!r}. Names: {', '.join(model.name for model in CATALOGUE)}.")
    url = f"{hub_url()}/api/models/{repository}/revision/main"
    try:
        answer = client.get(url, params={"blobs": "true"})
    except httpx2.HTTPError as error:
        raise _unreachable(error) from error
    if answer.status_code in (401, 404):
        raise NotOnHub(f"{hub_url()} has no public repository {repository!r} (HTTP {answer.status_code}).")
    if answer.status_code != 200:
        raise HubUnreachable(f"{hub_url()} answered HTTP {answer.status_code}. Try again later.")
    try:
        release = _read_release(wanted, repository, answer.json())
    except (ValueError, KeyError, TypeError) as error:
        raise HubUnreachable(
            f"{url} did not answer as a model hub does. Is HF_ENDPOINT ({hub_url()}) right, or is there a proxy"
            " between that wants a login?"
        ) from error
    if not any(file.path == "model.bin" for file in release.files):
        raise NotOnHub(f"{repository} is not a Whisper model for faster-whisper: it holds no model.bin.")
    return release


def _read_release(name: str, repository: str, described: dict[str, object]) -> Release:
    files = []
    siblings = described["siblings"]
    assert isinstance(siblings, list)
    for item in siblings:
        path = str(item["rfilename"])
        if any(fnmatch(path, pattern) for pattern in WANTED_FILES) and "/" not in path:
            large = item.get("lfs")
            files.append(
                RemoteFile(
                    path, int(item["size"]), large["sha256"] if large else None, None if large else item["blobId"]
                )
            )
    card = described.get("cardData")
    licence = str(card["license"]) if isinstance(card, dict) and card.get("license") else "not stated"
    known = next((model.licence for model in CATALOGUE if model.repository == repository), None)
    return Release(name, repository, str(described["sha"]), known or licence, tuple(files))


def fetch(
    client: httpx2.Client,
    release: Release,
    data_dir: Path,
    *,
    progress: Progress = lambda name, done, of: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Download, check and put in place. Interrupted at any point, the next call goes on from there.

    Returns:
        The model's folder, complete.

    Raises:
        ModelError
    """
    folder = models_folder(data_dir) / folder_name(release.name)
    staging = folder.with_name(f".fetching-{folder.name}")
    try:
        staging.mkdir(parents=True, exist_ok=True)
        with _only_one(staging):
            _check_space(release, staging)
            sums = _fetch_files(client, release, staging, progress, sleep)
            missing = missing_files(staging)
            if missing:
                raise NotOnHub(f"{release.repository} is not complete on the hub: it lacks {', '.join(missing)}.")
            _record(release, sums, staging)
            _put_in_place(staging, folder)
    except OSError as error:
        raise CannotStore(f"Cannot write to {staging}: {error.strerror or error}.") from error
    return folder


def _fetch_files(
    client: httpx2.Client, release: Release, staging: Path, progress: Progress, sleep: Callable[[float], None]
) -> dict[str, str]:
    sums: dict[str, str] = {}
    before = 0
    for file in release.files:
        url = f"{hub_url()}/{release.repository}/resolve/{release.commit}/{file.path}"
        base = before

        def report(there: int, name: str = file.path, base: int = base) -> None:
            progress(name, base + there, release.size)

        sums[file.path] = _fetch_file(client, url, file, staging / file.path, report, sleep)
        before += file.size
    return sums


def _fetch_file(
    client: httpx2.Client,
    url: str,
    file: RemoteFile,
    target: Path,
    report: Callable[[int], None],
    sleep: Callable[[float], None],
) -> str:
    """Returns the SHA-256 of the file, which then lies at ``target``."""
    part = target.with_name(f"{file.path}.part")
    if target.is_file():
        target.rename(part)  # from an earlier fetch of perhaps another commit: checked like the rest
    failure: Exception | None = None
    for attempt in range(_TRIES):
        if attempt:
            sleep(2.0 ** (attempt - 1))
        try:
            _download(client, url, file, part, report)
        except httpx2.HTTPStatusError as error:
            if error.response.status_code < 500 and error.response.status_code != 429:
                raise NotOnHub(f"{url} answered HTTP {error.response.status_code}.") from error
            failure = error
            continue
        except httpx2.HTTPError as error:
            failure = error
            continue
        size = part.stat().st_size if part.exists() else 0
        if size < file.size:
            failure = HubUnreachable("the connection ended early")
            continue
        sha256 = _checked(part, file)
        if sha256 is not None:
            part.rename(target)
            return sha256
        part.unlink()
        failure = Damaged(f"{file.path} arrived damaged: its checksum is not the hub's")
    if isinstance(failure, Damaged):
        raise Damaged(f"{failure}, {_TRIES} times over. A proxy or mirror ({hub_url()}) may be changing it.")
    assert failure is not None
    raise _unreachable(failure, "What has arrived is kept: the same command goes on from there.")


def _download(client: httpx2.Client, url: str, file: RemoteFile, part: Path, report: Callable[[int], None]) -> None:
    there = part.stat().st_size if part.exists() else 0
    report(min(there, file.size))
    if there >= file.size:
        return
    # Compressed answers cannot be continued in the middle.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={there}-"} if there else {})
    with client.stream("GET", url, headers=headers) as answer:
        answer.raise_for_status()
        goes_on = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {there}-")
        if not goes_on:
            there = 0
        with part.open("ab" if goes_on else "wb") as out:
            # No chunk size: with one, up to a chunk of what had arrived is lost when the line breaks.
            for data in answer.iter_raw():
                out.write(data)
                there += len(data)
                if there > file.size:
                    return  # more than announced: the checksum will tell
                report(there)


def _checked(part: Path, file: RemoteFile) -> str | None:
    """The SHA-256 if size and checksum are what the hub says, else None."""
    if part.stat().st_size != file.size:
        return None
    sha256 = hashlib.sha256()
    git = hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
    with part.open("rb") as source:
        while data := source.read(2**20):
            sha256.update(data)
            if file.sha256 is None:
                git.update(data)
    right = sha256.hexdigest() == file.sha256 if file.sha256 is not None else git.hexdigest() == file.git_sha1
    return sha256.hexdigest() if right else None


def _check_space(release: Release, staging: Path) -> None:
    there = sum(path.stat().st_size for path in staging.iterdir() if path.is_file())
    free = shutil.disk_usage(staging).free
    needed = release.size - there + MARGIN_BYTES
    if free < needed:
        raise CannotStore(
            f"{release.name} needs {needed // 10**6} MB, and {free // 10**6} MB are free at {staging.parent}."
            " Make room, or set PARLEY_DATA_DIR to another disk."
        )


def _record(release: Release, sums: dict[str, str], staging: Path) -> None:
    files = {file.path: {"size": file.size, "sha256": sums[file.path]} for file in release.files}
    described = {
        "name": release.name,
        "repository": release.repository,
        "commit": release.commit,
        "licence": release.licence,
        "files": files,
    }
    (staging / RECORD).write_text(json.dumps(described, indent=2) + "\n", "utf-8")


def _put_in_place(staging: Path, folder: Path) -> None:
    old = folder.with_name(f".replaced-{folder.name}")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    (staging / _LOCK).unlink()
    staging.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


_LOCK = ".lock"


@contextlib.contextmanager
def _only_one(staging: Path) -> Iterator[None]:
    """Two processes must not write the same files."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        yield
        return
    with (staging / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStore(f"Another process is fetching into {staging} at this moment.") from None
        yield


def _unreachable(error: Exception, more: str = "") -> HubUnreachable:
    what = str(error) or type(error).__name__
    text = (
        f"{hub_url()} cannot be reached ({what}). Check the network, set HTTPS_PROXY, or name a mirror with HF_ENDPOINT;"
        " or copy a model's folder here and set hearing.model to it."
    )
    return HubUnreachable(f"{text} {more}".strip())
