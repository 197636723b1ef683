"""What EchoMimic's authors released: which file is what, where it comes from, and how it is meant to be run.

File names, sizes and defaults as of antgroup/echomimic_v2 (a312dec, August 2025) and antgroup/echomimic (a53e970).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from avatar.echomimic.config import (
    ACCELERATED_STEPS,
    NOISE_LIMIT,
    ORIGINAL_STEPS,
    RELEASED,
    RELEASED_V1_AUDIO,
    EchoMimicConfig,
)
from avatar.echomimic.windows import V1_AUDIO_SHIFT, V2_SHIFT


class Variant(StrEnum):
    """A set of weights that belong together."""

    V2 = "v2"
    V2_ACCELERATED = "v2-accelerated"
    V1_AUDIO = "v1-audio"
    V1_AUDIO_ACCELERATED = "v1-audio-accelerated"
    V1_POSE = "v1-pose"
    V1_POSE_ACCELERATED = "v1-pose-accelerated"

    @property
    def accelerated(self) -> bool:
        return self.value.endswith("accelerated")

    @property
    def second(self) -> bool:
        """Of EchoMimicV2."""
        return self.value.startswith("v2")


@dataclass(frozen=True, slots=True)
class Source:
    """A repository on the Hugging Face hub.

    Attributes:
        repository: ``owner/name``.
        licence: as its page names it.
    """

    repository: str
    licence: str


ECHOMIMIC_V2 = Source("BadToBest/EchoMimicV2", "Apache-2.0; its authors intend it for academic research")
ECHOMIMIC_V1 = Source("BadToBest/EchoMimic", "Apache-2.0; its authors intend it for academic research")
SD_VAE = Source("stabilityai/sd-vae-ft-mse", "MIT")
IMAGE_VARIATIONS = Source("lambdalabs/sd-image-variations-diffusers", "CreativeML OpenRAIL-M")
TAESD = Source("madebyollin/taesd", "MIT")

WHISPER_SHA256 = "65147644a518d12f04e32d6f3b26facc3f8dd46e5390956a9424a650c0ce22b9"
WHISPER_URL = f"https://openaipublic.azureedge.net/main/whisper/models/{WHISPER_SHA256}/tiny.pt"
WHISPER_LICENCE = "MIT"


@dataclass(frozen=True, slots=True)
class ReleasedFile:
    """One file of the released layout.

    Attributes:
        path: in the folder of weights, as released. A ``.safetensors`` of the same stem is taken first.
        source: where it is found; None for Whisper, which OpenAI serves itself.
        name: in that repository.
        megabytes: about.
        needed: loading fails without it.
    """

    path: str
    source: Source | None
    name: str
    megabytes: int
    needed: bool = True

    def where(self) -> str:
        """For people: where to get it, how large it is, under which licence."""
        if self.source is None:
            return f"{WHISPER_URL} ({self.megabytes} MB, {WHISPER_LICENCE})"
        return f"https://huggingface.co/{self.source.repository} ({self.megabytes} MB, {self.source.licence})"


@dataclass(frozen=True, slots=True)
class Release:
    """The files of one variant and how its authors run it.

    Attributes:
        config: widths.
        denoiser, motion, reference, guide, whisper, base, vae, tiny_vae: files.
        steps: of the sampler.
        guidance: classifier-free; 1 is without.
        size: side of the pictures it was made for, pixels.
        seed: of the authors' command.
        shift: frames that windows move by at each step.
        noise_limit: initial noise is clamped to this; None where it is not.
    """

    config: EchoMimicConfig
    denoiser: ReleasedFile
    motion: ReleasedFile
    reference: ReleasedFile
    guide: ReleasedFile
    whisper: ReleasedFile
    steps: int
    guidance: float
    size: int
    seed: int
    shift: int
    noise_limit: float | None
    base: ReleasedFile
    vae: ReleasedFile
    vae_config: ReleasedFile
    tiny_vae: ReleasedFile
    tiny_vae_config: ReleasedFile

    def files(self) -> list[ReleasedFile]:
        """All of them, in the order in which they are fetched."""
        return [
            self.denoiser, self.motion, self.reference, self.guide, self.whisper,
            self.vae_config, self.vae, self.tiny_vae_config, self.tiny_vae, self.base,
        ]  # fmt: skip


_VAE_FOLDER = "sd-vae-ft-mse"
_TINY_VAE_FOLDER = "taesd"
_DIFFUSERS_WEIGHTS = "diffusion_pytorch_model.safetensors"
_COMMON = {
    "base": ReleasedFile(
        "sd-image-variations-diffusers/unet/diffusion_pytorch_model.bin",
        IMAGE_VARIATIONS, "unet/diffusion_pytorch_model.bin", 3440, needed=False,
    ),
    "vae": ReleasedFile(f"{_VAE_FOLDER}/{_DIFFUSERS_WEIGHTS}", SD_VAE, _DIFFUSERS_WEIGHTS, 335),
    "vae_config": ReleasedFile(f"{_VAE_FOLDER}/config.json", SD_VAE, "config.json", 1),
    "tiny_vae": ReleasedFile(f"{_TINY_VAE_FOLDER}/{_DIFFUSERS_WEIGHTS}", TAESD, _DIFFUSERS_WEIGHTS, 10, needed=False),
    "tiny_vae_config": ReleasedFile(f"{_TINY_VAE_FOLDER}/config.json", TAESD, "config.json", 1, needed=False),
}  # fmt: skip


def release(variant: Variant) -> Release:
    """Files and defaults of a variant. V1's weights are float32, V2's float16 but for the accelerated ones."""
    source = ECHOMIMIC_V2 if variant.second else ECHOMIMIC_V1
    pose = "_pose" if variant in (Variant.V1_POSE, Variant.V1_POSE_ACCELERATED) else ""
    suffix = pose + ("_acc" if variant.accelerated else "")
    half = variant is Variant.V2  # what is in float16 takes half the space

    def file(path: str, megabytes: int) -> ReleasedFile:
        return ReleasedFile(path, source, path, megabytes)

    whisper = "audio_processor/tiny.pt" if variant.second else "audio_processor/whisper_tiny.pt"
    return Release(
        config=RELEASED if variant.second or pose else RELEASED_V1_AUDIO,
        denoiser=file(f"denoising_unet{suffix}.pth", 1700 if half else 3400),
        motion=file(f"motion_module{suffix}.pth", 909 if half else 1820),
        reference=file(f"reference_unet{pose}.pth", 1630 if variant.second else 3260),
        guide=file("pose_encoder.pth", 1700) if variant.second else file(f"face_locator{pose}.pth", 4),
        whisper=ReleasedFile(whisper, None, "tiny.pt", 75),
        steps=ACCELERATED_STEPS if variant.accelerated else ORIGINAL_STEPS,
        guidance=1.0 if variant.accelerated else 2.5,
        size=768 if variant.second else 512,
        seed=3407 if variant is Variant.V2 else 420,
        shift=V1_AUDIO_SHIFT if not variant.second and not pose else V2_SHIFT,
        noise_limit=None if pose else NOISE_LIMIT,
        **_COMMON,
    )


def stored(folder: Path, file: ReleasedFile) -> Path | None:
    """Where the file is in ``folder``: safetensors first; None where it is not there at all."""
    path = folder / file.path
    candidates = [path.with_suffix(".safetensors"), path, path.with_suffix(".bin"), path.with_suffix(".pth")]
    if path.suffix == ".json":
        candidates = [path]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def missing_files(folder: Path, variant: Variant) -> list[ReleasedFile]:
    """What a variant needs that ``folder`` does not have."""
    return [file for file in release(variant).files() if file.needed and stored(folder, file) is None]


def complete_variants(folder: Path) -> list[Variant]:
    """The variants that ``folder`` holds whole."""
    return [variant for variant in Variant if not missing_files(folder, variant)]
