"""Fetching models, from a hub that breaks in every way a network does."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import faster_whisper.utils
import httpx2
import pytest

from server import models
from server.models import (
    CATALOGUE,
    CannotStore,
    Damaged,
    HubUnreachable,
    NotOnHub,
    Release,
    UnknownModel,
    fetch,
    find_whisper_model,
    look_up,
)
from streaming.hearing import whisper_models
from tests.server.fake_hub import COMMIT, FakeHub, fake_hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    with fake_hub() as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url + "/")
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
        yield served


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with models.open_client() as opened:
        yield opened


def no_sleep(_: float) -> None:
    pass


def tiny(client: httpx2.Client) -> Release:
    return look_up(client, "tiny")


def test_names_are_faster_whispers_own() -> None:
    assert faster_whisper.utils._MODELS == whisper_models.REPOSITORIES
    catalogued = {model.repository for model in CATALOGUE}
    assert catalogued == set(whisper_models.REPOSITORIES.values())
    assert {whisper_models.REPOSITORIES[name] for name in whisper_models.PREFERRED} == catalogued


def test_a_model_is_fetched_checked_recorded_and_found(hub: FakeHub, client: httpx2.Client, tmp_path: Path) -> None:
    release = tiny(client)
    wanted = {name: content for name, content in hub.files.items() if name not in ("README.md", ".gitattributes")}
    assert release.size == sum(map(len, wanted.values()))
    assert (release.commit, release.licence) == (COMMIT, "MIT")
    told: list[tuple[str, int, int]] = []
    folder = fetch(client, release, tmp_path, progress=lambda *told_now: told.append(told_now))
    assert folder == tmp_path / "models" / "tiny"
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != models.RECORD} == wanted
    record = json.loads((folder / models.RECORD).read_text())
    assert record["commit"] == COMMIT
    assert record["files"]["config.json"]["sha256"] == hashlib.sha256(wanted["config.json"]).hexdigest()
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["tiny"]
    done = [there for _, there, _ in told]
    assert done == sorted(done) and done[-1] == release.size and {of for *_, of in told} == {release.size}
    assert find_whisper_model(tmp_path) == find_whisper_model(tmp_path, "tiny") == folder
    assert find_whisper_model(tmp_path, "Systran/faster-whisper-tiny") == folder
    assert find_whisper_model(tmp_path, "small") is None


def test_a_broken_connection_is_taken_up_where_it_broke(hub: FakeHub, client: httpx2.Client, tmp_path: Path) -> None:
    hub.cut_after = [100_000, 50_000]
    slept: list[float] = []
    folder = fetch(client, tiny(client), tmp_path, sleep=slept.append)
    assert hub.ranges == [None, "bytes=100000-", "bytes=150000-"]
    assert slept == [1.0, 2.0]
    assert (folder / "model.bin").read_bytes() == hub.files["model.bin"]


def test_a_fetch_that_was_given_up_goes_on_next_time(hub: FakeHub, client: httpx2.Client, tmp_path: Path) -> None:
    hub.cut_after = [50_000] * 5
    with pytest.raises(HubUnreachable, match="goes on from there"):
        fetch(client, tiny(client), tmp_path, sleep=no_sleep)
    assert find_whisper_model(tmp_path, "tiny") is None
    hub.ranges.clear()
    folder = fetch(client, tiny(client), tmp_path, sleep=no_sleep)
    assert hub.ranges == ["bytes=250000-"]
    assert (folder / "model.bin").read_bytes() == hub.files["model.bin"]


def test_a_keyboard_interrupt_keeps_what_has_arrived(hub: FakeHub, client: httpx2.Client, tmp_path: Path) -> None:
    def interrupt(name: str, there: int, _: int) -> None:
        if name == "model.bin" and there > 250_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(client, tiny(client), tmp_path, progress=interrupt)
    hub.ranges.clear()
    fetch(client, tiny(client), tmp_path)
    assert hub.ranges[0] is not None


def test_a_mirror_without_ranges_is_asked_for_all(hub: FakeHub, client: httpx2.Client, tmp_path: Path) -> None:
    hub.cut_after = [100_000]
    hub.ignores_ranges = True
    folder = fetch(client, tiny(client), tmp_path, sleep=no_sleep)
    assert (folder / "model.bin").read_bytes() == hub.files["model.bin"]


def test_a_changed_byte_is_noticed_and_fetched_again(hub: FakeHub, client: httpx2.Client, tmp_path: Path) -> None:
    hub.corrupt = 1
    folder = fetch(client, tiny(client), tmp_path, sleep=no_sleep)
    assert hub.ranges == [None, None]
    assert (folder / "model.bin").read_bytes() == hub.files["model.bin"]


def test_what_is_damaged_every_time_is_refused(hub: FakeHub, client: httpx2.Client, tmp_path: Path) -> None:
    hub.corrupt = 99
    with pytest.raises(Damaged, match="mirror"):
        fetch(client, tiny(client), tmp_path, sleep=no_sleep)
    assert find_whisper_model(tmp_path, "tiny") is None


def test_small_files_are_checked_by_their_git_id(hub: FakeHub, client: httpx2.Client, tmp_path: Path) -> None:
    release = tiny(client)
    hub.files["config.json"] = b"[]"
    with pytest.raises(Damaged, match=r"config\.json"):
        fetch(client, release, tmp_path, sleep=no_sleep)


def test_a_longer_file_than_announced_is_not_written_without_end(
    hub: FakeHub, client: httpx2.Client, tmp_path: Path
) -> None:
    release = tiny(client)
    hub.files["tokenizer.json"] = b"x" * 5_000_000
    with pytest.raises(Damaged):
        fetch(client, release, tmp_path, sleep=no_sleep)
    part = tmp_path / "models" / ".fetching-tiny" / "tokenizer.json.part"
    assert not part.exists() or part.stat().st_size < 1_000_000


def test_a_busy_hub_is_asked_again(hub: FakeHub, client: httpx2.Client, tmp_path: Path) -> None:
    hub.statuses = [503, 429]
    assert fetch(client, tiny(client), tmp_path, sleep=no_sleep).is_dir()


def test_a_file_that_is_gone_is_not_asked_for_again(hub: FakeHub, client: httpx2.Client, tmp_path: Path) -> None:
    hub.statuses = [404, 404]
    with pytest.raises(NotOnHub, match="404"):
        fetch(client, tiny(client), tmp_path, sleep=no_sleep)
    assert hub.statuses == [404]


@pytest.mark.usefixtures("hub")
def test_unknown_names_and_repositories(client: httpx2.Client) -> None:
    with pytest.raises(UnknownModel, match="small"):
        look_up(client, "smal")
    with pytest.raises(NotOnHub, match="nobody/nothing"):
        look_up(client, "nobody/nothing")


def test_a_repository_of_another_kind(hub: FakeHub, client: httpx2.Client, tmp_path: Path) -> None:
    hub.repository = "someone/voice"
    del hub.files["tokenizer.json"]
    with pytest.raises(NotOnHub, match=r"tokenizer\.json"):
        fetch(client, look_up(client, "someone/voice"), tmp_path)
    del hub.files["model.bin"]
    with pytest.raises(NotOnHub, match=r"model\.bin"):
        look_up(client, "someone/voice")


def test_any_repository_can_be_fetched_and_found(hub: FakeHub, client: httpx2.Client, tmp_path: Path) -> None:
    hub.repository = "someone/whisper-for-whales"
    release = look_up(client, hub.repository)
    assert release.licence == "mit"
    folder = fetch(client, release, tmp_path)
    assert folder.name == "someone--whisper-for-whales"
    assert find_whisper_model(tmp_path, hub.repository) == folder


def test_paths_in_a_repository_cannot_leave_the_folder(hub: FakeHub, client: httpx2.Client) -> None:
    hub.files["../config.json"] = hub.files["sub/model.bin"] = b"?"
    assert {file.path for file in tiny(client).files} == {
        "config.json",
        "model.bin",
        "tokenizer.json",
        "vocabulary.txt",
    }


def test_no_network(client: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubUnreachable, match="HF_ENDPOINT"):
        look_up(client, "tiny")


def test_a_login_page_instead_of_a_hub(hub: FakeHub, client: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "describe", lambda: ["please log in"])
    with pytest.raises(HubUnreachable, match="proxy"):
        look_up(client, "tiny")


@pytest.mark.usefixtures("hub")
def test_a_full_disk(client: httpx2.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=200_000))
    with pytest.raises(CannotStore, match="PARLEY_DATA_DIR"):
        fetch(client, tiny(client), tmp_path)


@pytest.mark.usefixtures("hub")
def test_a_folder_that_cannot_be_made(client: httpx2.Client, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(CannotStore, match="Cannot write"):
        fetch(client, tiny(client), tmp_path)


@pytest.mark.usefixtures("hub")
def test_two_at_once(client: httpx2.Client, tmp_path: Path) -> None:
    release = tiny(client)

    def second(*_: object) -> None:
        with pytest.raises(CannotStore, match="Another process"):
            fetch(client, release, tmp_path)

    fetch(client, release, tmp_path, progress=second)


def test_an_incomplete_model_is_replaced(hub: FakeHub, client: httpx2.Client, tmp_path: Path) -> None:
    old = tmp_path / "models" / "tiny"
    old.mkdir(parents=True)
    (old / "model.bin").write_bytes(b"half")
    assert find_whisper_model(tmp_path, "tiny") is None
    folder = fetch(client, tiny(client), tmp_path)
    assert (folder / "model.bin").read_bytes() == hub.files["model.bin"]
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["tiny"]


def _whisper_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.json"):
        (folder / name).write_text("{}")
    return folder


def test_models_are_found_in_hugging_faces_cache_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    repository = tmp_path / "hf" / "hub" / "models--Systran--faster-whisper-base"
    snapshot = _whisper_folder(repository / "snapshots" / COMMIT)
    assert find_whisper_model(tmp_path, "base") is None
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    assert find_whisper_model(tmp_path, "base") == find_whisper_model(tmp_path) == snapshot
    assert whisper_models.find_whisper_model(None, "base") == snapshot
    assert whisper_models.shown_name(snapshot) == "base"
    assert whisper_models.shown_name(tmp_path / "models" / "someone--whale") == "someone/whale"
    (snapshot / "tokenizer.json").unlink()
    assert find_whisper_model(tmp_path, "base") is None


def test_which_model_is_taken_when_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
    assert find_whisper_model(tmp_path) is None
    large = _whisper_folder(tmp_path / "models" / "large-v3")
    assert find_whisper_model(tmp_path) == find_whisper_model(tmp_path, "large") == large
    small = _whisper_folder(tmp_path / "models" / "small")
    assert find_whisper_model(tmp_path) == small
    elsewhere = _whisper_folder(tmp_path / "elsewhere")
    assert find_whisper_model(tmp_path, str(elsewhere)) == elsewhere
    assert find_whisper_model(tmp_path, "../elsewhere") is None
