"""Widths of the networks: the released ones, and a tiny set of the same architecture for tests."""

from __future__ import annotations

from dataclasses import dataclass, field

LATENT_CHANNELS = 4
LATENT_SCALE = 8
"""Pixels along a side of one latent: the VAE halves three times."""

LATENT_FACTOR = 0.18215
"""Stable Diffusion's latents are multiplied by this so that their deviation is about one."""

FEATURE_RATE_HZ = 50
"""Of Whisper's hidden states: log-mel at 100 Hz, halved by the second convolution."""

RELEASED_FPS = 24
"""What the released V2 weights are run at, and the default of V1 as well."""

WINDOW_FRAMES = 12
WINDOW_OVERLAP = 3
"""The windows that the weights were trained and are released with."""

ORIGINAL_STEPS = 30
ACCELERATED_STEPS = 6

NOISE_LIMIT = 1.5
"""The original clamps its initial noise to this many deviations (V2, and V1's audio mode)."""


@dataclass(frozen=True, slots=True)
class UNetConfig:
    """Denoising and reference U-Net: Stable Diffusion 1.5's shape.

    Attributes:
        channels: of the levels, from the picture inwards; every level but the last has spatial attention.
        layers: resnets a level going down; one more going up.
        heads: of every attention.
        groups: of every group normalisation.
        audio_channels: width of the audio tokens.
        positions: longest window of the motion modules, frames (the length of their sinusoid table).
    """

    channels: tuple[int, ...] = (320, 640, 1280, 1280)
    layers: int = 2
    heads: int = 8
    groups: int = 32
    audio_channels: int = 384
    positions: int = 32

    @property
    def time_channels(self) -> int:
        return 4 * self.channels[0]


@dataclass(frozen=True, slots=True)
class WhisperConfig:
    """Whisper's encoder; the default is Whisper-tiny."""

    mel_bands: int = 80
    positions: int = 1500
    channels: int = 384
    heads: int = 6
    layers: int = 4


@dataclass(frozen=True, slots=True)
class GuideConfig:
    """The convolution stack that turns a drawn condition into features: V2's pose encoder, V1's face locator.

    Attributes:
        in_channels: 3 for drawn poses and landmarks, 1 for V1's face mask.
        channels: of its levels; each but the last halves the picture.
    """

    in_channels: int = 3
    channels: tuple[int, ...] = (16, 32, 96, 256)


@dataclass(frozen=True, slots=True)
class VAEConfig:
    """``AutoencoderKL``; the default is sd-vae-ft-mse."""

    channels: tuple[int, ...] = (128, 256, 512, 512)
    layers: int = 2
    groups: int = 32


@dataclass(frozen=True, slots=True)
class TinyVAEConfig:
    """``AutoencoderTiny``; the default is TAESD."""

    channels: int = 64
    blocks: tuple[int, ...] = (3, 3, 3, 1)
    """Residual blocks at each resolution of the decoder, inwards out; the encoder has them in reverse."""


@dataclass(frozen=True, slots=True)
class EchoMimicConfig:
    """Everything that is built together."""

    unet: UNetConfig = field(default_factory=UNetConfig)
    whisper: WhisperConfig = field(default_factory=WhisperConfig)
    guide: GuideConfig = field(default_factory=GuideConfig)
    vae: VAEConfig = field(default_factory=VAEConfig)
    tiny_vae: TinyVAEConfig = field(default_factory=TinyVAEConfig)


RELEASED = EchoMimicConfig()
"""V2, and V1's pose mode, which draws three channels as well."""

RELEASED_V1_AUDIO = EchoMimicConfig(guide=GuideConfig(in_channels=1))
"""V1's audio mode: the face locator sees one mask."""

TINY = EchoMimicConfig(
    unet=UNetConfig(channels=(16, 24, 32, 32), layers=1, heads=2, groups=4, audio_channels=32),
    whisper=WhisperConfig(channels=32, heads=2, layers=2),
    guide=GuideConfig(channels=(4, 8, 8, 16)),
    vae=VAEConfig(channels=(8, 8, 16, 16), layers=1, groups=4),
    tiny_vae=TinyVAEConfig(channels=8, blocks=(1, 1, 1, 1)),
)
"""The same architecture a ten-thousandth the size, to test what runs around it. Its weights are always random."""
