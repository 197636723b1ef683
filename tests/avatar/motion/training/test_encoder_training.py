"""Training the encoder on made-up speech: it learns, goes on where it stopped, and leaves out whom it is told to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'parley[train]'")
pytest.importorskip("safetensors", reason="training needs safetensors: pip install 'parley[train]'")

from avatar.motion.generator.contacts import Threshold  # noqa: E402
from avatar.motion.generator.features import BANDS, HOPS_PER_FRAME, LOOK_AHEAD_FRAMES  # noqa: E402
from avatar.motion.speech.mouth import COUNT, JAW, SEAL  # noqa: E402
from avatar.motion.training import encoder_training  # noqa: E402
from avatar.motion.training.encoder_measures import Heard, fit_gain, fit_thresholds, listen, score  # noqa: E402
from avatar.motion.training.encoder_network import EncoderNetwork, EncoderOutput, EncoderShape  # noqa: E402
from avatar.motion.training.encoder_training import (  # noqa: E402
    EncoderTraining,
    encoder_loss,
    train_encoder,
    trained_encoder,
)
from avatar.motion.training.learning import TrainingError, checkpoint_of  # noqa: E402
from avatar.motion.training.speech_windows import Rendition, SpeechLibrary, read_shard  # noqa: E402
from tests.avatar.motion.training import shards  # noqa: E402

SMALL = EncoderShape(fast=16, middle=16, slow=32, middle_dilations=(1,), slow_dilations=(1, 2))
TINY = EncoderTraining(steps=6, rows=2, hops=80, measure_every=3, shape=SMALL)


def quiet(line: str) -> None:
    pass


def weights(run: Path) -> dict[str, torch.Tensor]:
    return trained_encoder(run).state_dict()


def test_a_window_says_what_is_heard_when(tmp_path: Path) -> None:
    shards.speech(tmp_path)
    library = SpeechLibrary(tmp_path / "speech" / "train")
    assert library.refresh() == 1 and library.refresh() == 0
    windows = library.draw(16, 160, np.random.default_rng(0))
    assert windows.mel.shape == (16, 160, BANDS) and windows.mouth.shape == (16, 40, COUNT)
    assert windows.contacts.shape == (16, 40, 2) and windows.phones.shape == (16, 160)
    # The made-up jaw is the low bands: augmentation may colour them, it may not move them in time.
    low = windows.mel[:, :, : BANDS // 2].mean(dim=2).reshape(16, 40, HOPS_PER_FRAME).mean(dim=2)
    open_ = windows.contacts[:, :, 0] == 0
    r = [np.corrcoef(low[i][open_[i]], windows.mouth[i, :, JAW][open_[i]])[0, 1] for i in range(16)]
    assert np.median(r) > 0.5
    late = [np.corrcoef(low[i, :-3], windows.mouth[i, 3:, JAW])[0, 1] for i in range(16)]
    assert np.median(late) < np.median(r) - 0.3


def test_renditions_share_their_utterances_clock(tmp_path: Path) -> None:
    shards.speech_shard(tmp_path / "0.npz", 5)
    renditions = read_shard(tmp_path / "0.npz")
    assert len(renditions) == 12
    assert [r.kind for r in renditions[:2]] == ["clean", "quiet"]
    assert np.array_equal(renditions[0].mouth, renditions[1].mouth)
    assert all(len(r.mel) == len(r.phones) == HOPS_PER_FRAME * r.frames for r in renditions)


def test_the_loss_is_small_for_the_truth_alone(tmp_path: Path) -> None:
    shards.speech(tmp_path)
    library = SpeechLibrary(tmp_path / "speech" / "train")
    library.refresh()
    windows = library.draw(4, 160, np.random.default_rng(0))

    def late(x: torch.Tensor, frames: int) -> torch.Tensor:
        return torch.cat([torch.zeros_like(x[:, :frames]), x[:, : x.shape[1] - frames]], dim=1)

    of_frames = windows.phones.reshape(4, 40, HOPS_PER_FRAME)[:, :, 0]
    truth = (windows.mouth, 20 * windows.contacts - 10, 20 * torch.nn.functional.one_hot(of_frames, 32).float())
    exact, parts = encoder_loss(EncoderOutput(*(late(x, LOOK_AHEAD_FRAMES) for x in truth)), windows)
    assert exact < 0.1 and set(parts) == {"mouth", "visible", "contacts", "phones"}
    early, _ = encoder_loss(EncoderOutput(*truth), windows)
    assert early > 10 * exact


@pytest.mark.slow
def test_it_learns(tmp_path: Path) -> None:
    shards.speech(tmp_path / "data")
    told: list[str] = []
    options = EncoderTraining(steps=250, rows=8, hops=160, peak=4e-3, measure_every=125, shape=SMALL)
    train_encoder(tmp_path / "data", tmp_path / "run", options, told.append)
    table = json.loads(told[-1])["valid"]["all"]
    assert table["opening"] > 0.75
    assert table["recalled"] > 0.8 and table["false"] < 0.2
    assert abs(table["lag_ms"]) < 20


def test_interrupted_training_goes_on_to_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards.speech(tmp_path / "data")
    train_encoder(tmp_path / "data", tmp_path / "whole", TINY, quiet)
    real, calls = encoder_training.encoder_loss, 0

    def interrupted(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(encoder_training, "encoder_loss", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_encoder(tmp_path / "data", tmp_path / "parts", TINY, quiet)
    monkeypatch.undo()
    # The batch that was being learned is drawn anew: go on from the checkpoint before it, as after a crash.
    found = checkpoint_of(tmp_path / "parts")
    assert found is not None and json.loads((found / "progress.json").read_text())["step"] == 4
    train_encoder(tmp_path / "data", tmp_path / "parts", TINY, quiet)
    state = json.loads((checkpoint_of(tmp_path / "parts") / "progress.json").read_text())  # type: ignore[operator]
    assert state["step"] == 6
    again = tmp_path / "again"
    train_encoder(tmp_path / "data", again, TINY, quiet)
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(again)[name]), name  # the same seed, the same weights


def test_a_run_cut_at_a_checkpoint_is_the_uncut_run(tmp_path: Path) -> None:
    shards.speech(tmp_path / "data")
    long = EncoderTraining(steps=6, rows=2, hops=80, measure_every=3, shape=SMALL)
    train_encoder(tmp_path / "data", tmp_path / "whole", long, quiet)

    class Enough(Exception):
        pass

    def stop(line: str) -> None:
        if json.loads(line).get("step") == 3:
            raise Enough

    with pytest.raises(Enough):
        train_encoder(tmp_path / "data", tmp_path / "cut", long, stop)
    train_encoder(tmp_path / "data", tmp_path / "cut", long, quiet)
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(tmp_path / "cut")[name]), name


def test_an_engine_left_out_is_not_heard(tmp_path: Path) -> None:
    shards.speech(tmp_path)
    library = SpeechLibrary(tmp_path / "speech" / "train", frozenset({"b"}))
    library.refresh()
    assert set(library.hours) == {"a"}
    assert {r.engine for r in library.renditions} == {"a"}


def test_shards_that_come_later_are_taken_in(tmp_path: Path) -> None:
    shards.speech(tmp_path)
    library = SpeechLibrary(tmp_path / "speech" / "train")
    library.refresh()
    before = len(library.renditions)
    shards.speech_shard(tmp_path / "speech" / "train" / "0001.npz", 9)
    assert library.refresh() == 1
    assert len(library.renditions) == 2 * before


def test_no_data_and_another_run_are_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="parley motion synthesize"):
        train_encoder(tmp_path, tmp_path / "run", TINY, quiet)
    shards.speech(tmp_path)
    train_encoder(tmp_path, tmp_path / "run", TINY, quiet)
    with pytest.raises(TrainingError, match="another folder"):
        train_encoder(tmp_path, tmp_path / "run", EncoderTraining(steps=9, leave_out=("b",), shape=SMALL), quiet)
    with pytest.raises(TrainingError, match="train first"):
        trained_encoder(tmp_path / "nothing")


def heard(contact: float = 0.9, gain: float = 1.0) -> list[Heard]:
    """An answer that is the truth, with closures found at that probability, and amplitudes shrunk."""
    rng = np.random.default_rng(0)
    out = []
    for _ in range(4):
        frames = 100
        mouth = rng.uniform(0, 0.5, (frames, COUNT)).astype(np.float32)
        mouth[:, JAW], mouth[:, SEAL] = rng.uniform(0.2, 0.5, frames), 0.1  # open but where a contact closes it
        contacts = np.zeros((frames, 2), bool)
        contacts[10::20, 0] = True
        phones = np.full(frames * HOPS_PER_FRAME, 3, np.uint8)
        phones[164:196] = 0
        rendition = Rendition(
            np.zeros((frames * HOPS_PER_FRAME, BANDS), np.float16),
            mouth.astype(np.float16),
            contacts,
            phones,
            "v",
            "e",
            "en",
            "clean",
        )
        out.append(
            Heard(
                rendition,
                mouth * gain,
                np.where(contacts, contact, 0.05).astype(np.float32),
                np.eye(32, dtype=np.float32)[np.full(frames, 3)],
            )
        )
    return out


THRESHOLDS = (Threshold(0.5, 0.3), Threshold(0.5, 0.3))


def test_the_truth_scores_one() -> None:
    table = score(heard(), np.ones(COUNT, np.float32), THRESHOLDS)["all"]
    assert min(table[name] for name in ("opening", "width", "rounding")) > 0.999
    assert table["recalled"] == 1.0 and table["false"] == 0.0 and table["lag_ms"] == pytest.approx(0, abs=1)
    assert table["phones"] == pytest.approx(0.92)


def test_missed_closures_and_wrong_ones_are_counted() -> None:
    table = score(heard(contact=0.4), np.ones(COUNT, np.float32), THRESHOLDS)["all"]
    assert table["recalled"] < 0.7
    wrong = heard()
    for h in wrong:
        h.contacts[5::20, 0] = 0.9
    assert 0.3 < score(wrong, np.ones(COUNT, np.float32), THRESHOLDS)["all"]["false"] < 0.7


def test_amplitude_is_restored_within_reason() -> None:
    moving = [i for i in range(COUNT) if i != SEAL]  # which is constant here
    assert fit_gain(heard(gain=0.8))[moving] == pytest.approx(1.25, abs=0.01)
    assert fit_gain(heard(gain=0.2))[moving] == pytest.approx(1.4)
    assert fit_gain(heard(gain=3.0)) == pytest.approx(np.ones(COUNT))


def test_thresholds_lie_between_what_is_and_what_is_not() -> None:
    sealed, _ = fit_thresholds(heard(contact=0.35), np.ones(COUNT, np.float32))
    assert 0.05 < sealed.off <= sealed.on <= 0.35


@pytest.mark.parametrize(("wrong_every", "seals_doubtful"), [(60, True), (10, False)])
def test_a_closure_made_up_weighs_as_much_as_one_missed(wrong_every: int, seals_doubtful: bool) -> None:
    """A third of the right contacts are at .5, the others at .8. Fewer wrong ones at .5 are worth it, more are not."""
    doubtful = heard(contact=0.8)
    for h in doubtful:
        h.contacts[10::60, 0] = 0.5
        h.contacts[5::wrong_every, 0] = 0.5
    sealed, _ = fit_thresholds(doubtful, np.ones(COUNT, np.float32))
    assert (sealed.on <= 0.5) is seals_doubtful and sealed.on <= 0.8


def test_listening_begins_each_rendition_anew(tmp_path: Path) -> None:
    shards.speech_shard(tmp_path / "0.npz", 5, utterances=4)
    renditions = read_shard(tmp_path / "0.npz")
    network = EncoderNetwork(SMALL)
    together = {id(h.of): h for h in listen(network, renditions)}
    alone = listen(network, renditions[2:3])[0]
    np.testing.assert_allclose(together[id(renditions[2])].mouth, alone.mouth, atol=1e-5)
    assert len(alone.mouth) == renditions[2].frames
