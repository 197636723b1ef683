"""Every check of ``parity`` on tiny networks: it agrees with what they made, and notices each thing done wrong.

The released width is compared with the original's arrays in ``test_parity_full``; here the fixture is our own, so that the
comparison's own code runs in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic import blocks, clip_sampler, networks, parity_checks, spatial_transformer  # noqa: E402
from avatar.echomimic.audio_features import encode_clip, log_mel, slice_windows, window_indices  # noqa: E402
from avatar.echomimic.clip_sampler import sample_clip  # noqa: E402
from avatar.echomimic.config import LATENT_FACTOR, TINY  # noqa: E402
from avatar.echomimic.ddim import ddim_scheduler  # noqa: E402
from avatar.echomimic.motion_module import Positions  # noqa: E402
from avatar.echomimic.networks import Networks  # noqa: E402
from avatar.echomimic.parity import ONE_NETWORK, Run, check  # noqa: E402
from avatar.echomimic.reference_bank import ReferenceBank, ReferenceKeys, bank_order  # noqa: E402

FRAMES = 5
SIDE = 16
WRONG = [
    "audio_zero",
    "audio_frame_roll1",
    "audio_token_reversed",
    "pose_zero",
    "bank_absent",
    "temporal_pe_zero",
    "motion_modules_off",
]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@pytest.fixture(scope="module")
def main_file(tiny: Networks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Arrays of the main fixture's layout."""
    pcm = (normal(16_000) * 3000).astype(np.int16)
    latents, audio = normal(1, 4, FRAMES, SIDE, SIDE), normal(1, FRAMES, 50, TINY.unet.audio_channels, seed=1)
    pose = normal(1, TINY.unet.channels[0], FRAMES, SIDE, SIDE, seed=2)
    reference = normal(1, 4, SIDE, SIDE, seed=3)
    given = [torch.from_numpy(one) for one in (latents, audio, pose, reference)]
    t = torch.tensor([999])
    with torch.no_grad():
        mel = log_mel(pcm.astype(np.float32) / 32768)
        features = encode_clip(tiny.whisper, mel)
        tokens = slice_windows(features, 26, 24)
        bank, last = tiny.reference(given[3])
        keys = tiny.denoiser.project_reference(bank)
        some = slice(0, 2)
        arrays = {
            "audio|pcm16k_int16": pcm,
            "audio|fps": 24,
            "audio|logmel": mel,
            "audio|feat": features,
            "audio|chunks_shape": tokens.shape,
            "audio|chunk_src_index": window_indices(50, 26, 24),
            "audio|chunk_first_mid_last": tokens[[0, 13, 25]],
            "pose_encoder|in": normal(1, 3, 2, 32, 32, seed=4),
            "pose_encoder|out": tiny.guide(torch.from_numpy(normal(1, 3, 2, 32, 32, seed=4))),
            "ref|in_latents": reference,
            "ref|out_prehead": last,
            "ref|bank_order": list(bank.tokens),
            "den|in_latents": latents,
            "den|in_audio": audio,
            "den|in_pose_fea": pose,
            "den|bank_reader_order": bank_order(tiny.denoiser),
            "den|out_t999": tiny.denoiser(given[0], t, given[1], given[2], keys),
            "den|out_t999_bankfp16": tiny.denoiser(
                given[0], t, given[1], given[2], tiny.denoiser.project_reference(bank.rounded())
            ),
            "den|cfg_out_t666_F2": tiny.denoiser(
                given[0][:, :, some].repeat(2, 1, 1, 1, 1),
                torch.tensor([666]),
                torch.cat([0 * given[1][:, some], given[1][:, some]]),
                torch.cat([0 * given[2][:, :, some], given[2][:, :, some]]),
                keys,
                unconditional=1,
            ),
            "den|sensitivity_names": WRONG,
            "den|sensitivity": np.zeros(len(WRONG), np.float32),
        }
        for name, tokens in bank.tokens.items():
            arrays[f"ref|bank_mean_std|{name}"] = [float(tokens.mean()), float(tokens.std())]
            arrays[f"ref|bank_head|{name}"] = tokens[0, :4, :16]
            arrays[f"ref|bank_full|{name}"] = tokens
    path = tmp_path_factory.mktemp("parity") / "main.npz"
    np.savez(path, **{name: np.asarray(value) for name, value in arrays.items()})
    return path


@pytest.fixture(scope="module")
def run_file(tiny: Networks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Arrays of the whole run's layout: 14 frames, two windows, two steps."""
    generator = np.random.default_rng(0)
    pcm = (normal(16_000) * 3000).astype(np.int16)
    picture, poses = (
        generator.integers(0, 255, (64, 64, 3), np.uint8),
        generator.integers(0, 255, (14, 64, 64, 3), np.uint8),
    )
    noise = torch.from_numpy(normal(1, 4, 14, 8, 8, seed=5))
    arrays: dict[str, Any] = {"in|pcm16k_int16": pcm, "in|ref_rgb_u8": picture, "in|pose_rgb_u8": poses}
    scheduler = ddim_scheduler(2)

    def keep(number: int, before: torch.Tensor, velocity: torch.Tensor, after: torch.Tensor) -> None:
        of = {"t": scheduler.timesteps[number], "sample_in": before, "v": velocity, "prev": after}
        arrays.update({f"step{number}|{name}": value for name, value in of.items()})

    with torch.no_grad():
        features = encode_clip(tiny.whisper, log_mel(pcm.astype(np.float32) / 32768))
        pose = tiny.guide(torch.from_numpy(poses.astype(np.float32) / 255).permute(3, 0, 1, 2)[None])
        latent = tiny.vae.encode_reference(picture)
        keys = tiny.denoiser.project_reference(tiny.reference(latent)[0].rounded())
        tokens = slice_windows(features, 14, 24)[None]
        clip = sample_clip(tiny.denoiser, scheduler, noise, tokens, pose, keys, on_step=keep)
        video = tiny.vae.decode(clip[0].transpose(0, 1)).transpose(0, 1)[None]
    arrays |= {
        "ref_latent_mean_unscaled": latent / LATENT_FACTOR,
        "out|video_shape": video.shape,
        "out|video_f32_frames_0_7_13": video[:, :, [0, 7, 13]],
        "out|video_mean_std": [float(video.mean()), float(video.std())],
    }
    path = tmp_path_factory.mktemp("parity") / "run.npz"
    np.savez(path, **{name: np.asarray(value) for name, value in arrays.items()})
    return path


@pytest.fixture(autouse=True)
def tiny_width(tiny: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module's networks, at the tiny width."""
    built = {
        networks.WHISPER: tiny.whisper,
        networks.GUIDE: tiny.guide,
        networks.REFERENCE: tiny.reference,
        networks.DENOISER: tiny.denoiser,
        networks.VAE: tiny.vae.network,
    }
    monkeypatch.setattr(parity_checks, "synthetic", lambda build, name: built[name])


def beyond(run: Run) -> set[str]:
    return {result.array for result in run.results if not result.passed}


def test_both_files_agree_with_themselves(main_file: Path, run_file: Path) -> None:
    runs = check([main_file, run_file])
    assert [beyond(run) for run in runs] == [set(), set()]
    assert runs[0].fixture.unasked == ["den|sensitivity", "den|sensitivity_names"] and not runs[1].fixture.unasked


def test_what_is_done_wrong_is_noticed(main_file: Path) -> None:
    """Far beyond tolerance, but for the order of audio tokens, which attention without positions cannot see."""
    (run,) = check([main_file], sensitivity=True)
    assert list(run.moved) == WRONG
    assert run.moved.pop("audio_token_reversed") < ONE_NETWORK
    assert min(run.moved.values()) > 100 * ONE_NETWORK, run.moved
    assert beyond(run) == {"den|sensitivity"}, "this file's are all zero"


def test_doing_things_wrong_leaves_the_network_as_it_was(main_file: Path, tiny: Networks) -> None:
    before = [module.pe.clone() for module in tiny.denoiser.modules() if isinstance(module, Positions)]
    check([main_file], sensitivity=True)
    after = [module.pe for module in tiny.denoiser.modules() if isinstance(module, Positions)]
    assert all(torch.equal(*both) for both in zip(before, after, strict=True))
    (run,) = check([main_file])
    assert beyond(run) == set()


def all_rows_read(right: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    return lambda *inputs, unconditional=0, **named: right(*inputs, **named)


def exchanged(right: Callable[..., ReferenceKeys]) -> Callable[..., ReferenceKeys]:
    def wrong(self: Any, bank: ReferenceBank) -> ReferenceKeys:
        return ReferenceKeys({name: (values, keys) for name, (keys, values) in right(self, bank).keys_values.items()})

    return wrong


MISTAKES: dict[str, Callable[[pytest.MonkeyPatch, Networks], None]] = {
    "sound added once instead of three times": lambda patch, tiny: patch.setattr(
        spatial_transformer, "AUDIO_GAIN", 1.0
    ),
    "keys of the reference and its values exchanged": lambda patch, tiny: patch.setattr(
        type(tiny.denoiser), "project_reference", exchanged(type(tiny.denoiser).project_reference)
    ),
    "sines and cosines of the time exchanged": lambda patch, tiny: patch.setattr(
        tiny.denoiser.time_proj, "flip_sin_to_cos", False
    ),
    "guidance's first row reads the reference too": lambda patch, tiny: patch.setattr(
        type(tiny.denoiser), "forward", all_rows_read(type(tiny.denoiser).forward)
    ),
    "the bank not rounded where it should be": lambda patch, tiny: patch.setattr(
        ReferenceBank, "rounded", lambda bank: bank
    ),
    "motion modules before attention": lambda patch, tiny: patch.setattr(blocks.Level, "layer", motion_first),
}


def motion_first(self: blocks.Level, number: int, hidden: Any, time: Any, context: Any) -> Any:
    hidden = self.resnets[number](hidden, time)
    if self._motion:
        hidden = self.motion_modules[number](hidden, context.frames, context.memory)
    return self.attentions[number](hidden, context) if self._attention else hidden


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_denoiser(
    mistake: str, main_file: Path, tiny: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    MISTAKES[mistake](monkeypatch, tiny)
    (run,) = check([main_file])
    wrong = beyond(run)
    assert any(name.startswith("den|") for name in wrong), wrong
    assert not any(name.startswith(("audio|", "pose_encoder|", "ref|")) for name in wrong)


@pytest.mark.parametrize(("shift", "overlap"), [(0, 3), (3, 2)])
def test_a_mistake_in_the_windows(shift: int, overlap: int, run_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = clip_sampler.circular_windows
    monkeypatch.setattr(
        clip_sampler, "circular_windows", lambda frames, step, **_: right(frames, step, shift=shift, overlap=overlap)
    )
    (run,) = check([run_file])
    assert {"step1|v", "out|video_f32_frames_0_7_13"} <= beyond(run)
    assert ("step0|v" in beyond(run)) == (overlap != 3), "windows have not moved yet at the first step"
