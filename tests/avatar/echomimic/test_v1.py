"""V1's portrait: the same networks, told by a face mask or by drawn landmarks."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic.audio_features import encode_clip, log_mel, slice_windows  # noqa: E402
from avatar.echomimic.clip_sampler import sample_clip  # noqa: E402
from avatar.echomimic.config import RELEASED_FPS, TINY, GuideConfig  # noqa: E402
from avatar.echomimic.ddim import ddim_scheduler, initial_noise  # noqa: E402
from avatar.echomimic.face_crop import crop_face  # noqa: E402
from avatar.echomimic.networks import GUIDE, Networks, synthetic  # noqa: E402
from avatar.echomimic.pose_encoder import PoseEncoder  # noqa: E402
from avatar.echomimic.released import Variant, release  # noqa: E402

FRAMES = 14
SIZE = 64


@pytest.mark.parametrize("variant", [Variant.V1_AUDIO, Variant.V1_POSE])
def test_a_picture_and_its_sound_to_video(tiny: Networks, variant: Variant) -> None:
    of = release(variant)
    generator = np.random.default_rng(0)
    crop = crop_face(generator.integers(0, 255, (120, 100, 3), np.uint8), (30, 30, 70, 80), SIZE)
    if variant is Variant.V1_AUDIO:
        maps = torch.from_numpy(crop.mask)[None, None, None] / 255  # one mask for the whole clip
    else:
        maps = torch.from_numpy(generator.random((1, 3, FRAMES, SIZE, SIZE), np.float32))
    config = GuideConfig(of.config.guide.in_channels, TINY.guide.channels)
    locator = synthetic(lambda: PoseEncoder(TINY.unet.channels[0], config), GUIDE)
    sound = log_mel(generator.standard_normal(16_000).astype(np.float32) / 10)
    with torch.no_grad():
        pose = locator(maps)
        audio = slice_windows(encode_clip(tiny.whisper, sound), FRAMES, RELEASED_FPS)[None]
        bank, _ = tiny.reference(tiny.vae.encode_reference(crop.picture))
        keys = tiny.denoiser.project_reference(bank.rounded())
        noise = initial_noise(
            (1, 4, FRAMES, SIZE // 8, SIZE // 8), torch.Generator().manual_seed(of.seed), limit=of.noise_limit
        )
        assert pose.shape[2] == (1 if variant is Variant.V1_AUDIO else FRAMES)
        clip = [
            sample_clip(tiny.denoiser, ddim_scheduler(2), noise, audio, given, keys, shift=of.shift)
            for given in (pose, pose.roll(1, dims=-1))
        ]
        video = tiny.vae.decode(clip[0][0].transpose(0, 1))
    assert video.shape == (FRAMES, 3, SIZE, SIZE) and video.isfinite().all()
    assert float((clip[0] - clip[1]).norm() / clip[0].norm()) > 0.001, "where the face is matters"
