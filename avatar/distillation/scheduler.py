"""The noise schedule that teacher, student, trainers and live sampling share.

Multistep consistency (Heek, Hoogeboom & Salimans, "Multistep Consistency Models", arXiv 2403.06807): the teacher's DDIM
trajectory is cut into segments, and the student learns to cross each of them in one jump. Forty teacher steps in four segments of ten
give a student of four steps, deterministic, on the teacher's own trajectory.

With v-prediction (Salimans & Ho, arXiv 2202.00512), v = alpha eps - sigma x0, DDIM (Song et al., arXiv 2010.02502, eta 0) from
t to s is linear in sample and prediction:

    x_s = (alpha_s alpha_t + sigma_s sigma_t) x_t + (sigma_s alpha_t - alpha_s sigma_t) v

so a jump can be inverted: given where it must land, which prediction does it? That is the student's training target.

The betas are rescaled to zero terminal SNR and timesteps trail, so that sampling begins at pure noise (Lin et al., arXiv 2305.08891).
The defaults are EchoMimicV2's; its 6 and 30 steps come out of ``set_timesteps`` too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from diffusers.utils.outputs import BaseOutput
from torch import Tensor

DATA = -1
"""The timestep of clean data: alpha 1, sigma 0."""


@dataclass
class MultistepConsistencyOutput(BaseOutput):
    """Attributes:
    prev_sample: the sample at the next, less noisy timestep.
    pred_original_sample: the clean sample that this prediction means.
    """

    prev_sample: Tensor
    pred_original_sample: Tensor


class MultistepConsistencyScheduler(SchedulerMixin, ConfigMixin):
    """DDIM for v-prediction, with the segments of multistep consistency distillation.

    Whatever precision comes in, arithmetic is at least float32 inside: just above a segment's end the inverse
    amplifies by 57, which half precision does not survive.

    Timesteps are 0..999, and -1 (``DATA``) is clean data. Where a method takes a timestep it may be a number, or an
    integer tensor of shape [batch]; samples and predictions have shape [batch, ...].

    Args:
        num_train_timesteps: length of the schedule.
        beta_start, beta_end: its ends.
        beta_schedule: "linear" in beta, or "scaled_linear", in its root.
        rescale_betas_zero_snr: the last timestep is pure noise.
        timestep_spacing: "trailing": sampling begins at the last timestep.
        prediction_type: "v_prediction".
        teacher_steps: steps of the teacher's trajectory; must divide ``num_train_timesteps``.
        segments: jumps of the student; must divide ``teacher_steps``.

    Raises:
        ValueError: numbers that do not divide, or a type, spacing or terminal SNR for which the jump is not defined.
    """

    order = 1

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.00085,
        beta_end: float = 0.012,
        beta_schedule: Literal["linear", "scaled_linear"] = "linear",
        rescale_betas_zero_snr: bool = True,
        timestep_spacing: Literal["trailing"] = "trailing",
        prediction_type: Literal["v_prediction"] = "v_prediction",
        teacher_steps: int = 40,
        segments: int = 4,
    ) -> None:
        if prediction_type != "v_prediction" or timestep_spacing != "trailing" or not rescale_betas_zero_snr:
            raise ValueError(
                "multistep consistency needs v_prediction, trailing timesteps and zero terminal SNR, got"
                f" {prediction_type}, {timestep_spacing}, rescale_betas_zero_snr={rescale_betas_zero_snr}"
            )
        if teacher_steps < 1 or segments < 1 or num_train_timesteps % teacher_steps or teacher_steps % segments:
            raise ValueError(
                f"{segments} segments must divide {teacher_steps} teacher steps, and those {num_train_timesteps} timesteps"
            )
        if beta_schedule == "linear":
            betas = torch.linspace(beta_start, beta_end, num_train_timesteps, dtype=torch.float32)
        elif beta_schedule == "scaled_linear":
            betas = torch.linspace(beta_start**0.5, beta_end**0.5, num_train_timesteps, dtype=torch.float32) ** 2
        else:
            raise ValueError(f'beta_schedule must be "linear" or "scaled_linear", got "{beta_schedule}"')
        self.alphas_cumprod: Tensor = torch.cumprod(1.0 - rescale_zero_terminal_snr(betas), dim=0)
        # [1 + timesteps], from clean data (-1) on; double, so that alpha^2 + sigma^2 = 1 where sigma is small.
        signal = torch.cat([torch.ones(1, dtype=torch.float64), self.alphas_cumprod.double().clamp(0.0, 1.0)])
        self._alpha, self._sigma = signal.sqrt(), (1.0 - signal).sqrt()
        stride = num_train_timesteps // teacher_steps
        self.teacher_grid: Tensor = torch.arange(num_train_timesteps - 1, DATA - 1, -stride)
        """int64 [teacher_steps + 1]: 999, 974, ..., 24, -1."""
        self.boundaries: Tensor = self.teacher_grid[:: teacher_steps // segments]
        """int64 [segments + 1]: 999, 749, 499, 249, -1; each but the last begins a segment."""
        self.init_noise_sigma = 1.0
        self.num_inference_steps: int | None = None
        self.timesteps: Tensor = self.teacher_grid[:-1]

    def __len__(self) -> int:
        return len(self._alpha) - 1

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None) -> None:
        """Choose how many steps sampling takes: ``segments`` for a student, ``teacher_steps`` for its teacher.

        Any number works (a teacher takes it as DDIM does). The list trails: 4 gives 999, 749, 499, 249.
        """
        length = len(self)
        if not 1 <= num_inference_steps <= length:
            raise ValueError(f"num_inference_steps must be 1..{length}, got {num_inference_steps}")
        self.num_inference_steps = num_inference_steps
        trailing = np.round(np.arange(length, 0, -length / num_inference_steps)).astype(np.int64) - 1
        self.timesteps = torch.from_numpy(trailing).to(device)

    def scale_model_input(self, sample: Tensor, timestep: int | Tensor | None = None) -> Tensor:
        """The sample as it is: this schedule needs no scaling."""
        return sample

    def step(
        self, model_output: Tensor, timestep: int | Tensor, sample: Tensor, return_dict: bool = True
    ) -> MultistepConsistencyOutput | tuple[Tensor, Tensor]:
        """One step of sampling, from ``timestep`` to the next of those ``set_timesteps`` chose.

        The next timestep is ``timestep - num_train_timesteps // num_inference_steps``, as DDIM in diffusers counts, with
        which EchoMimicV2's weights were distilled: where the division leaves a rest (6 or 30 steps), it lies a little off the list.

        Args:
            model_output: predicted v.
            timestep: of ``sample``.
            sample: any dtype; what is returned has it too.

        Raises:
            RuntimeError: ``set_timesteps`` was not called.
        """
        if self.num_inference_steps is None:
            raise RuntimeError("call set_timesteps before step")
        stride = len(self) // self.num_inference_steps
        if isinstance(timestep, Tensor):
            following: int | Tensor = (timestep - stride).clamp(min=DATA)
        else:
            following = max(timestep - stride, DATA)
        previous = self.jump(model_output, timestep, following, sample)
        original = self.jump(model_output, timestep, DATA, sample)
        if not return_dict:
            return previous, original
        return MultistepConsistencyOutput(prev_sample=previous, pred_original_sample=original)

    def segment_end(self, timestep: int | Tensor) -> Tensor:
        """Where the segment that ``timestep`` lies in ends: the greatest boundary below it.

        A boundary begins the segment beneath it: 999 gives 749, 750 too, 749 gives 499.

        Raises:
            ValueError: clean data lies in no segment.
        """
        timestep = torch.as_tensor(timestep)
        if bool((timestep <= DATA).any()) or bool((timestep >= len(self)).any()):
            raise ValueError(f"timesteps must be 0..{len(self) - 1}")
        ascending = self.boundaries.flip(0).to(timestep.device)
        return ascending[torch.searchsorted(ascending, timestep.contiguous()) - 1]

    def teacher_next(self, timestep: int | Tensor) -> Tensor:
        """The greatest timestep of the teacher's grid below ``timestep``."""
        timestep = torch.as_tensor(timestep)
        ascending = self.teacher_grid.flip(0).to(timestep.device)
        return ascending[(torch.searchsorted(ascending, timestep.contiguous()) - 1).clamp(min=0)]

    def teacher_step(self, model_output: Tensor, timestep: int | Tensor, sample: Tensor) -> Tensor:
        """One step of the teacher: from ``timestep`` down to the next of its grid."""
        return self.jump(model_output, timestep, self.teacher_next(timestep), sample)

    def jump(self, model_output: Tensor, timestep: int | Tensor, target: int | Tensor, sample: Tensor) -> Tensor:
        """The DDIM line from ``timestep`` to ``target``, -1 for clean data.

        Returns:
            The sample at ``target``, in the dtype of ``sample``.
        """
        keep, gain = self._line(timestep, target, sample)
        exact = keep.dtype
        return (keep * sample.to(exact) + gain * model_output.to(exact)).to(sample.dtype)

    def invert(self, landing: Tensor, timestep: int | Tensor, target: int | Tensor, sample: Tensor) -> Tensor:
        """The prediction with which one jump from ``timestep`` to ``target`` lands on ``landing``.

        Args:
            landing: where the jump must end, a sample at ``target``.
            sample: where it begins, a sample at ``timestep``.

        Returns:
            v*, float32 (float64 where samples are), never rounded to half precision.

        Raises:
            ValueError: no distance to cross, so that every prediction lands on ``sample`` itself.
        """
        keep, gain = self._line(timestep, target, sample)
        if bool((gain == 0).any()):
            raise ValueError(f"a jump from {timestep} to {target} has no inverse")
        return (landing.to(keep.dtype) - keep * sample.to(keep.dtype)) / gain

    def add_noise(self, original_samples: Tensor, noise: Tensor, timesteps: int | Tensor) -> Tensor:
        """Clean samples at ``timesteps``: alpha x0 + sigma eps."""
        alpha, sigma = self._shaped(self._at(timesteps, original_samples.ndim), original_samples)
        return (alpha * original_samples + sigma * noise).to(original_samples.dtype)

    def get_velocity(self, sample: Tensor, noise: Tensor, timesteps: int | Tensor) -> Tensor:
        """What a teacher learns to predict: v = alpha eps - sigma x0 (``sample`` is clean)."""
        alpha, sigma = self._shaped(self._at(timesteps, sample.ndim), sample)
        return (alpha * noise - sigma * sample).to(sample.dtype)

    def _at(self, timestep: int | Tensor, dimensions: int) -> tuple[Tensor, Tensor]:
        """alpha and sigma in double, shaped to multiply samples of that many dimensions."""
        index = torch.as_tensor(timestep).to("cpu", torch.int64) + 1
        if bool((index < 0).any()) or bool((index > len(self)).any()):
            raise ValueError(f"timesteps must be -1..{len(self) - 1}, got {timestep}")
        shape = (-1,) + (1,) * (dimensions - 1) if index.ndim else ()
        return self._alpha[index].reshape(shape), self._sigma[index].reshape(shape)

    def _line(self, timestep: int | Tensor, target: int | Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Factors of sample and prediction. Formed in double: the second is a small difference near a segment's end."""
        alpha_t, sigma_t = self._at(timestep, like.ndim)
        alpha_s, sigma_s = self._at(target, like.ndim)
        return self._shaped((alpha_s * alpha_t + sigma_s * sigma_t, sigma_s * alpha_t - alpha_s * sigma_t), like)

    @staticmethod
    def _shaped(factors: tuple[Tensor, Tensor], like: Tensor) -> tuple[Tensor, Tensor]:
        """The factors where ``like`` is, in the precision of computation."""
        exact = torch.promote_types(like.dtype, torch.float32)
        return factors[0].to(like.device, exact), factors[1].to(like.device, exact)
