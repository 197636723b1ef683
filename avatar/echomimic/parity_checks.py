"""What ``parity`` does with each array of a fixture, one network after the other."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from avatar.echomimic import networks as names
from avatar.echomimic.audio_features import encode_clip, frame_count, log_mel, slice_windows, window_indices
from avatar.echomimic.clip_sampler import sample_clip
from avatar.echomimic.config import LATENT_FACTOR, RELEASED_FPS
from avatar.echomimic.ddim import ddim_scheduler
from avatar.echomimic.denoising_unet import DenoisingUNet
from avatar.echomimic.motion_module import MotionModule, Positions
from avatar.echomimic.networks import synthetic
from avatar.echomimic.parity import DRAWING, EXACT, ONE_NETWORK, WHOLE_RUN, Fixture, Result, Run
from avatar.echomimic.pose_encoder import PoseEncoder
from avatar.echomimic.pose_map import draw_hands, paste
from avatar.echomimic.reference_bank import ReferenceKeys, bank_order
from avatar.echomimic.reference_unet import ReferenceUNet
from avatar.echomimic.vae import FullVAE, build_vae
from avatar.echomimic.whisper import Whisper
from avatar.echomimic.windows import circular_windows

Network = TypeVar("Network")


INPUTS = {
    r"den\|.*": ("den|in_latents", "den|in_audio", "den|in_pose_fea", "ref|in_latents"),
    r"ref\|(out|bank).*": ("ref|in_latents",),
    r"audio\|.*": ("audio|pcm16k_int16",),
    r"ddim\|step.*": ("ddim|sample", "ddim|v"),
    r"(step\d+|out)\|.*": ("step0|sample_in", "in|pcm16k_int16", "in|pose_rgb_u8", "in|ref_rgb_u8"),
}
"""What a fixture must hold where it holds arrays of these names: looked for before minutes are spent."""


@torch.no_grad()
def run_all(runs: list[Run], *, sensitivity: bool) -> None:
    """Every check that the fixtures have arrays for; a network is built only where one has."""
    for run in runs:
        _check_inputs(run)
        for what, act in (("hand maps", _poses_drawn), ("windows", _windows), ("the sampler's steps", _sampler)):
            with run.fixture.used_for(what):
                act(run)
    whisper, guide = lambda: synthetic(Whisper, names.WHISPER), lambda: synthetic(PoseEncoder, names.GUIDE)
    _with(runs, "sound", r"(audio|in)\|pcm16k_int16", whisper, _sound)
    _with(runs, "pose features", r"pose_encoder\|.*|in\|pose_rgb_u8", guide, _pose_features)
    _with(runs, "the reference's latent", r"in\|ref_rgb_u8", _vae, _reference_latent)
    reference = r"(ref\|in_latents|in\|ref_rgb_u8)"
    _with(runs, "the bank", reference, lambda: synthetic(ReferenceUNet, names.REFERENCE), _reference)

    def denoise(run: Run, denoiser: DenoisingUNet) -> None:
        _denoiser(run, denoiser, sensitivity)
        _clip(run, denoiser)

    denoised = r"den\|in_latents|step0\|sample_in"
    _with(runs, "the denoiser's output", denoised, lambda: synthetic(DenoisingUNet, names.DENOISER), denoise)
    _with(runs, "the video", r"out\|video_.*", _vae, _video)


def _check_inputs(run: Run) -> None:
    for pattern, inputs in INPUTS.items():
        lacking = [name for name in inputs if name not in run.fixture]
        if lacking and (needing := run.fixture.matching(pattern)):
            raise ValueError(f"{run.fixture.path} lacks {', '.join(lacking)}, which {needing[0][0]} needs.")


def _with(
    runs: list[Run], what: str, pattern: str, build: Callable[[], Network], act: Callable[[Run, Network], None]
) -> None:
    wanting = [run for run in runs if run.fixture.matching(pattern)]
    if not wanting:
        return
    network = build()
    for run in wanting:
        with run.fixture.used_for(what):
            act(run, network)
    del network
    gc.collect()


def _vae() -> FullVAE:
    return FullVAE(synthetic(build_vae, names.VAE))


def _poses_drawn(run: Run) -> None:
    for match in run.fixture.matching(r"pose_render\|(.+)\|hands"):
        of = f"pose_render|{match[1]}|"
        height, width, *placed = (int(number) for number in run.fixture[of + "draw_pose_params"])
        drawing = draw_hands(run.fixture[of + "hands"], run.fixture[of + "hands_score"], height, width)
        theirs = run.fixture[of + "image_rgb_u8"]
        first_row, end_row, first_column, end_column = placed
        place = (first_row, end_row, first_column, end_column)
        whole = paste(drawing, theirs.shape[0], theirs.shape[1], place)
        run.compare(of + "image_rgb_u8", whole, DRAWING)


def _windows(run: Run) -> None:
    for match in run.fixture.matching(r"windows\|L(\d+)_(n|idx|step(\d+))"):
        windows = circular_windows(int(match[1]), int(match[3] or 0))
        run.compare(match[0], len(windows) if match[2] == "n" else windows, EXACT)


def _sampler(run: Run) -> None:
    for match in run.fixture.matching(r"ddim\|timesteps_(\d+)"):
        run.compare(match[0], ddim_scheduler(int(match[1])).timesteps, EXACT)
    scheduler = ddim_scheduler(1)
    for name in ("alphas_cumprod", "final_alpha_cumprod", "init_noise_sigma"):
        if f"ddim|{name}" in run.fixture:
            run.compare(f"ddim|{name}", getattr(scheduler, name), ONE_NETWORK)
    for match in run.fixture.matching(r"ddim\|step(\d+)_(\d+)_(prev|x0)"):
        scheduler = ddim_scheduler(int(match[1]))
        sample, velocity = torch.from_numpy(run.fixture["ddim|sample"]), torch.from_numpy(run.fixture["ddim|v"])
        timestep = int(scheduler.timesteps[int(match[2])])
        previous, clean = scheduler.step(velocity, timestep, sample, return_dict=False)
        run.compare(match[0], previous if match[3] == "prev" else clean, ONE_NETWORK)


def _sound(run: Run, whisper: Whisper) -> None:
    fixture = run.fixture
    if "in|pcm16k_int16" in fixture and "in|pose_rgb_u8" in fixture:
        features = encode_clip(whisper, log_mel(_pcm(fixture["in|pcm16k_int16"])))
        fps = float(fixture["in|fps"]) if "in|fps" in fixture else float(RELEASED_FPS)
        run.kept["audio"] = slice_windows(features, len(fixture["in|pose_rgb_u8"]), fps)[None]
    if "audio|pcm16k_int16" not in fixture:
        return
    mel = log_mel(_pcm(fixture["audio|pcm16k_int16"]))
    features = encode_clip(whisper, mel)
    fps = float(fixture["audio|fps"]) if "audio|fps" in fixture else float(RELEASED_FPS)
    frames = frame_count(features.shape[0], fps)
    tokens = slice_windows(features, frames, fps)
    several: dict[str, tuple[object, float]] = {
        "audio|logmel": (mel, ONE_NETWORK),
        "audio|feat": (features, ONE_NETWORK),
        "audio|chunks_shape": (tokens.shape, EXACT),
        "audio|chunk_src_index": (window_indices(features.shape[0], frames, fps), EXACT),
        "audio|chunk_first_mid_last": (tokens[[0, frames // 2, frames - 1]], ONE_NETWORK),
    }
    for name, (ours, tolerance) in several.items():
        if name in fixture:
            run.compare(name, ours, tolerance)


def _pose_features(run: Run, guide: PoseEncoder) -> None:
    fixture = run.fixture
    if "in|pose_rgb_u8" in fixture:
        run.kept["pose"] = guide(_maps(fixture["in|pose_rgb_u8"]))
    if "pose_encoder|in" in fixture:
        run.compare("pose_encoder|out", guide(torch.from_numpy(fixture["pose_encoder|in"])), ONE_NETWORK)
    if "pose_encoder|real_crop_u8" in fixture:
        run.compare("pose_encoder|real_out", guide(_maps(fixture["pose_encoder|real_crop_u8"][None])), ONE_NETWORK)


def _reference_latent(run: Run, vae: FullVAE) -> None:
    pixels = torch.from_numpy(run.fixture["in|ref_rgb_u8"].astype(np.float32) / 255 * 2 - 1)
    mean = vae.encode_mean(pixels.permute(2, 0, 1)[None])
    run.compare("ref_latent_mean_unscaled", mean, ONE_NETWORK)
    run.kept["reference_latent"] = mean * LATENT_FACTOR


def _reference(run: Run, network: ReferenceUNet) -> None:
    fixture = run.fixture
    if "reference_latent" in run.kept:
        run.kept["clip_bank"] = network(run.kept["reference_latent"])[0].rounded()  # as the original always does
    if "ref|in_latents" not in fixture:
        return
    bank, last = network(torch.from_numpy(fixture["ref|in_latents"]))
    run.kept["bank"] = bank
    if "ref|out_prehead" in fixture:
        run.compare("ref|out_prehead", last, ONE_NETWORK)
    if "ref|bank_order" in fixture:
        run.compare("ref|bank_order", list(bank.tokens), EXACT)
    for match in fixture.matching(r"ref\|bank_(shape|mean_std|head|full)\|(.+)"):
        tokens = bank.tokens[match[2]]
        if match[1] == "shape":
            run.compare(match[0], tokens.shape, EXACT)
        elif match[1] == "mean_std":
            run.compare(match[0], torch.stack([tokens.mean(), tokens.std()]), ONE_NETWORK)
        elif match[1] == "head":
            rows, columns = fixture[match[0]].shape
            run.compare(match[0], tokens[0, :rows, :columns], ONE_NETWORK)
        else:
            run.compare(match[0], tokens, ONE_NETWORK)


def _denoiser(run: Run, denoiser: DenoisingUNet, sensitivity: bool) -> None:
    fixture = run.fixture
    if "den|in_latents" not in fixture:
        return
    latents, audio, pose = (torch.from_numpy(fixture[f"den|in_{name}"]) for name in ("latents", "audio", "pose_fea"))
    exact = denoiser.project_reference(run.kept["bank"])
    if "den|bank_reader_order" in fixture:
        run.compare("den|bank_reader_order", bank_order(denoiser), EXACT)
    rows = latents.shape[0]
    for match in fixture.matching(r"den\|out_t(\d+)"):
        with _traced(run, denoiser, int(match[1]), rows):
            out = denoiser(latents, torch.full((rows,), int(match[1])), audio, pose, exact)
        run.compare(match[0], out, ONE_NETWORK)
    for match in fixture.matching(r"den\|out_t(\d+)_bankfp16"):
        rounded = denoiser.project_reference(run.kept["bank"].rounded())
        run.compare(match[0], denoiser(latents, torch.full((rows,), int(match[1])), audio, pose, rounded), ONE_NETWORK)
    for match in fixture.matching(r"den\|cfg_out_t(\d+)_F(\d+)"):
        frames = int(match[2])
        some, heard, posed = latents[:, :, :frames], audio[:, :frames], pose[:, :, :frames]
        out = denoiser(
            torch.cat([some, some]),
            torch.full((2 * rows,), int(match[1])),
            torch.cat([torch.zeros_like(heard), heard]),
            torch.cat([torch.zeros_like(posed), posed]),
            exact,
            unconditional=rows,
        )
        run.compare(match[0], out, ONE_NETWORK)
    if "den|sensitivity_names" in fixture and sensitivity:
        run.moved = _sensitivities(run, denoiser, latents, audio, pose, exact)
        theirs = dict(zip(fixture["den|sensitivity_names"].tolist(), fixture["den|sensitivity"].tolist(), strict=True))
        for name, moved in run.moved.items():
            error = abs(moved - theirs[name]) / max(theirs[name], INSENSITIVE)
            run.results.append(Result(f"den|sensitivity|{name}", error, SENSITIVITY))
        run.unknown += [f"den|sensitivity|{name}" for name in theirs if name not in run.moved]


SENSITIVITY = 1e-3
"""Of how far each wrong behaviour moves the output: the same wrong moves it as far."""

INSENSITIVE = 1e-3
"""What moves the output less is the order of operations, which is not the same here as there."""


def _sensitivities(
    run: Run,
    denoiser: DenoisingUNet,
    latents: torch.Tensor,
    audio: torch.Tensor,
    pose: torch.Tensor,
    reference: ReferenceKeys,
) -> dict[str, float]:
    """Relative change of the output for each thing done wrong that is known here, in the fixture's order. Where there are
    outputs of several timesteps, of the first."""
    first, *_ = run.fixture.matching(r"den\|out_t(\d+)")
    timestep = torch.full((latents.shape[0],), int(first[1]))
    right = torch.from_numpy(run.fixture[first[0]])
    wrong: dict[str, Callable[[], torch.Tensor]] = {
        "audio_zero": lambda: denoiser(latents, timestep, torch.zeros_like(audio), pose, reference),
        "audio_frame_roll1": lambda: denoiser(latents, timestep, audio.roll(1, dims=1), pose, reference),
        "audio_token_reversed": lambda: denoiser(latents, timestep, audio.flip(2), pose, reference),
        "pose_zero": lambda: denoiser(latents, timestep, audio, torch.zeros_like(pose), reference),
        "bank_absent": lambda: denoiser(latents, timestep, audio, pose, None),
        "temporal_pe_zero": lambda: _without_positions(denoiser, latents, timestep, audio, pose, reference),
        "motion_modules_off": lambda: _without_motion(denoiser, latents, timestep, audio, pose, reference),
    }
    named = [str(name) for name in run.fixture["den|sensitivity_names"]]
    return {name: float((wrong[name]() - right).norm() / right.norm()) for name in named if name in wrong}


def _without_positions(denoiser: DenoisingUNet, *inputs: torch.Tensor | ReferenceKeys) -> torch.Tensor:
    tables = [module for module in denoiser.modules() if isinstance(module, Positions)]
    kept = [table.pe for table in tables]
    try:
        for table in tables:
            table.pe = torch.zeros_like(table.pe)
        return denoiser(*inputs)
    finally:
        for table, pe in zip(tables, kept, strict=True):
            table.pe = pe


def _without_motion(denoiser: DenoisingUNet, *inputs: torch.Tensor | ReferenceKeys) -> torch.Tensor:
    def skip(module: nn.Module, given: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        return given[0]

    hooks = [m.register_forward_hook(skip) for m in denoiser.modules() if isinstance(m, MotionModule)]
    try:
        return denoiser(*inputs)
    finally:
        for hook in hooks:
            hook.remove()


@contextlib.contextmanager
def _traced(run: Run, denoiser: DenoisingUNet, timestep: int, rows: int) -> Iterator[None]:
    """Compare what named layers put out during one pass."""
    fixture = run.fixture
    named = {match[1] for match in fixture.matching(rf"den\|trace_t{timestep}\|(.+)\|[a-z_]+")}
    names_traced = named & {name for name, _ in denoiser.named_modules()}
    hooks = []

    def watch(name: str) -> Callable[[nn.Module, object, object], None]:
        def compare(module: nn.Module, given: object, output: object) -> None:
            hidden = output[0] if isinstance(output, tuple) else output
            assert isinstance(hidden, torch.Tensor)
            if hidden.ndim == 4:
                hidden = hidden.unflatten(0, (rows, -1)).transpose(1, 2)  # as the original has frames
            of = f"den|trace_t{timestep}|{name}|"
            if of + "shape" in fixture:
                run.compare(of + "shape", hidden.shape, EXACT)
            if of + "mean_std" in fixture:
                run.compare(of + "mean_std", torch.stack([hidden.mean(), hidden.std()]), ONE_NETWORK)
            if of + "slice" in fixture:
                corner = tuple(slice(side) for side in fixture[of + "slice"].shape)
                run.compare(of + "slice", hidden[corner], ONE_NETWORK)

        return compare

    try:
        for name in names_traced:
            hooks.append(denoiser.get_submodule(name).register_forward_hook(watch(name)))
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _clip(run: Run, denoiser: DenoisingUNet) -> None:
    """The whole run, each step going on from ours."""
    fixture = run.fixture
    if "step0|sample_in" not in fixture:
        return
    scheduler = ddim_scheduler(_step_count(fixture))

    def on_step(number: int, before: torch.Tensor, velocity: torch.Tensor, after: torch.Tensor) -> None:
        of = f"step{number}|"
        for name, ours in (("sample_in", before), ("v", velocity), ("prev", after)):
            if of + name in fixture:
                run.compare(of + name, ours, WHOLE_RUN)
        if of + "t" in fixture:
            run.compare(of + "t", scheduler.timesteps[number], EXACT)

    run.kept["latents"] = sample_clip(
        denoiser,
        scheduler,
        torch.from_numpy(fixture["step0|sample_in"]),
        run.kept["audio"],
        run.kept["pose"],
        denoiser.project_reference(run.kept["clip_bank"]),
        on_step=on_step,
    )


def _step_count(fixture: Fixture) -> int:
    """How many steps the run has: the least whose timesteps are those of the steps that the file has arrays of."""
    told = {int(match[1]): int(fixture[match[0]]) for match in fixture.matching(r"step(\d+)\|t")}
    least = 1 + max(int(match[1]) for match in fixture.matching(r"step(\d+)\|.*"))
    for steps in range(least, len(ddim_scheduler(1).alphas_cumprod) + 1):
        timesteps = ddim_scheduler(steps).timesteps
        if all(int(timesteps[number]) == t for number, t in told.items()):
            return steps
    raise ValueError(f"{fixture.path}: no number of steps has the timesteps {told}.")


def _video(run: Run, vae: FullVAE) -> None:
    latents = run.kept["latents"]
    frames = [vae.decode(latents[:, :, number]) for number in range(latents.shape[2])]
    video = torch.stack(frames, dim=2)
    if "out|video_shape" in run.fixture:
        run.compare("out|video_shape", video.shape, EXACT)
    if "out|video_mean_std" in run.fixture:
        run.compare("out|video_mean_std", torch.stack([video.mean(), video.std()]), WHOLE_RUN)
    for match in run.fixture.matching(r"out\|video_f32_frames((?:_\d+)+)"):
        chosen = [int(number) for number in match[1].split("_")[1:]]
        run.compare(match[0], video[:, :, chosen], WHOLE_RUN)


def _pcm(pcm16k: NDArray[np.int16]) -> NDArray[np.float32]:
    return pcm16k.astype(np.float32) / np.float32(32768)


def _maps(rgb: NDArray[np.uint8]) -> torch.Tensor:
    """uint8 [F, H, W, 3] to [1, 3, F, H, W] in [0, 1]."""
    return torch.from_numpy(rgb.astype(np.float32) / 255).permute(3, 0, 1, 2)[None]
