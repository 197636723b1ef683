"""Weights from where they are published: looked up, told, then fetched; nothing unasked."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from avatar.echomimic import hub as hub_module
from avatar.echomimic.hub import HuggingFace, fetch, plan
from avatar.echomimic.released import Variant, missing_files
from avatar.errors import WeightsError

V2_FILES = (
    "denoising_unet",
    "denoising_unet_acc",
    "motion_module",
    "motion_module_acc",
    "reference_unet",
    "pose_encoder",
)


class FakeHub:
    """Attributes:
    asked: repositories looked up; fetched: files that were downloaded.
    """

    def __init__(self) -> None:
        self.repositories = {
            "BadToBest/EchoMimicV2": {f"{name}.pth": 1000 + number for number, name in enumerate(V2_FILES)},
            "stabilityai/sd-vae-ft-mse": {"config.json": 10, "diffusion_pytorch_model.safetensors": 300},
            "madebyollin/taesd": {"config.json": 10, "diffusion_pytorch_model.safetensors": 20},
        }
        self.asked: list[str] = []
        self.fetched: list[str] = []

    def sizes(self, repository: str) -> dict[str, int]:
        self.asked.append(repository)
        return self.repositories[repository]

    def fetch(self, repository: str, name: str, folder: Path) -> Path:
        self.fetched.append(f"{repository}/{name}")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * self.repositories[repository][name])
        return path

    def fetch_whisper(self, path: Path) -> None:
        self.fetched.append("whisper")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_a_plan_names_sizes_sources_and_licences(tmp_path: Path) -> None:
    planned = plan(FakeHub(), tmp_path, Variant.V2_ACCELERATED)
    sizes = {one.file.path: one.size for one in planned}
    assert sizes["denoising_unet_acc.pth"] == 1001 and sizes["pose_encoder.pth"] == 1005
    assert sizes["sd-vae-ft-mse/diffusion_pytorch_model.safetensors"] == 300
    assert not any("image-variations" in path for path in sizes), "nothing needs it"
    licences = {one.file.path: one.licence for one in planned}
    assert licences["denoising_unet_acc.pth"].startswith("Apache-2.0") and licences["audio_processor/tiny.pt"] == "MIT"


def test_fetching_completes_the_folder_once(tmp_path: Path) -> None:
    hub = FakeHub()
    told: list[str] = []
    fetch(hub, tmp_path, plan(hub, tmp_path, Variant.V2), told.append)
    assert not missing_files(tmp_path, Variant.V2) and len(told) == len(hub.fetched) == 9
    assert (tmp_path / "taesd" / "config.json").is_file()
    assert plan(hub, tmp_path, Variant.V2) == []
    more = plan(hub, tmp_path, Variant.V2_ACCELERATED)
    assert [one.file.path for one in more] == ["denoising_unet_acc.pth", "motion_module_acc.pth"]


def test_another_repository_for_the_main_files(tmp_path: Path) -> None:
    hub = FakeHub()
    hub.repositories["somebody/mirror"] = hub.repositories["BadToBest/EchoMimicV2"]
    planned = plan(hub, tmp_path, Variant.V2, repository="somebody/mirror")
    assert {one.repository for one in planned} == {
        "somebody/mirror",
        "",
        "stabilityai/sd-vae-ft-mse",
        "madebyollin/taesd",
    }
    assert "BadToBest/EchoMimicV2" not in hub.asked


def test_a_repository_that_lacks_a_file(tmp_path: Path) -> None:
    hub = FakeHub()
    del hub.repositories["BadToBest/EchoMimicV2"]["motion_module.pth"]
    with pytest.raises(WeightsError, match=r"BadToBest/EchoMimicV2 has no file motion_module.pth"):
        plan(hub, tmp_path, Variant.V2)


def test_too_little_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = FakeHub()
    planned = plan(hub, tmp_path, Variant.V2)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 5_000_000})())
    with pytest.raises(WeightsError, match=r"0.0 GB free; 0.1 GB are needed"):
        fetch(hub, tmp_path, planned)
    assert not hub.fetched


def test_the_hub_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> object:
        raise httpx2.ConnectError("no route\nto the host")

    monkeypatch.setattr(hub_module.HfApi, "model_info", unreachable)
    monkeypatch.setattr(hub_module, "hf_hub_download", unreachable)
    monkeypatch.setattr(hub_module.httpx2, "stream", unreachable)
    with pytest.raises(WeightsError, match=r"owner/name cannot be looked up on the hub: no route$"):
        HuggingFace().sizes("owner/name")
    with pytest.raises(
        WeightsError, match=r"f.pth of owner/name could not be fetched: no route What has arrived is kept"
    ):
        HuggingFace().fetch("owner/name", "f.pth", tmp_path)
    with pytest.raises(WeightsError, match=r"tiny.pt could not be fetched: no route$"):
        HuggingFace().fetch_whisper(tmp_path / "audio_processor" / "tiny.pt")


def test_whisper_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"something else"
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, content=content))

    def stream(method: str, url: str, **settings: object) -> object:
        return httpx2.Client(transport=transport).stream(method, url)

    monkeypatch.setattr(hub_module.httpx2, "stream", stream)
    path = tmp_path / "audio_processor" / "tiny.pt"
    with pytest.raises(WeightsError, match="is not Whisper-tiny"):
        HuggingFace().fetch_whisper(path)
    assert list(path.parent.iterdir()) == []
    import hashlib

    monkeypatch.setattr(hub_module, "WHISPER_SHA256", hashlib.sha256(content).hexdigest())
    HuggingFace().fetch_whisper(path)
    assert path.read_bytes() == content
