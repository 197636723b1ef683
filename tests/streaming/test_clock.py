"""The clock on virtual time."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.beat import Beat
from streaming.clock import MAX_LATE_S, SLOT_S, SLOT_SAMPLES, SLOT_TICKS_90K, MediaClock, Release

START = 1000.0


def beat(
    utterance: int = 0,
    position: int = 0,
    samples: int | None = None,
    *,
    keyframe: bool = False,
    last: bool = False,
    epoch: int = 0,
    picture: bytes = b"picture",
    level: int = 1000,
) -> Beat:
    samples = (1920 if utterance else 0) if samples is None else samples
    pcm = np.zeros(1920, "<i2")
    pcm[:samples] = level
    return Beat(pcm.tobytes(), picture, keyframe, utterance, position, samples, last, epoch)


def run(clock: MediaClock, *slots: int) -> list[Release]:
    """Everything released when waking exactly on the given slots."""
    return [release for slot in slots for release in clock.advance(START + slot * SLOT_S)]


def pcm(releases: Iterable[Release]) -> list[int]:
    """The level of each slot, at its end."""
    return [int(release.pcm48k[-1]) for release in releases]


def test_a_beat_fills_two_slots_and_its_picture_leaves_with_the_first() -> None:
    clock = MediaClock()
    clock.offer(beat(1, keyframe=True))
    first, second = run(clock, 0, 1)
    assert (first.picture, first.keyframe, first.pts_48k, first.pts_90k) == (b"picture", True, 0, 0)
    assert (second.picture, second.keyframe, second.pts_48k, second.pts_90k) == (None, False, 960, 1800)
    assert [(r.utterance, r.position, r.speech_samples, r.silent) for r in (first, second)] == [
        (1, 960, 960, False),
        (1, 1920, 960, False),
    ]


def test_nothing_leaves_before_its_time() -> None:
    clock = MediaClock()
    clock.offer(beat())
    assert len(run(clock, 0)) == 1
    assert clock.next_due() == pytest.approx(START + SLOT_S)
    assert list(clock.advance(START + 0.9 * SLOT_S)) == []


def test_without_a_beat_there_is_silence_and_the_picture_stands_and_then_playback_goes_on() -> None:
    clock = MediaClock()
    stalled = run(clock, 0, 1, 2)
    assert all(release.silent and release.picture is None and not release.pcm48k.any() for release in stalled)
    assert clock.stalled_slots == 3
    clock.offer(beat(1))
    first, second = run(clock, 3, 4)
    assert first.picture and not first.silent and second.position == 1920
    assert clock.stalled_slots == 3


def test_the_clock_must_be_started() -> None:
    with pytest.raises(RuntimeError):
        MediaClock().next_due()


def test_a_late_wake_up_catches_up() -> None:
    clock = MediaClock()
    for number in range(4):
        clock.offer(beat(1, 1920 * number))
    releases = run(clock, 0, 8)
    assert [release.pts_48k for release in releases] == [SLOT_SAMPLES * n for n in range(9)]
    assert clock.next_due() == pytest.approx(START + 9 * SLOT_S)


def test_a_very_late_wake_up_leaves_time_out_instead_of_bursting_and_loses_no_speech() -> None:
    clock = MediaClock()
    clock.offer(beat(1))
    clock.offer(beat(1, 1920))
    releases = run(clock, 0, 100, 101, 102)
    assert [release.pts_48k // SLOT_SAMPLES for release in releases] == [0, 100, 101, 102]
    assert [release.position for release in releases] == [960, 1920, 2880, 3840]


def test_stale_beats_are_dropped() -> None:
    clock = MediaClock()
    clock.clear()
    assert not clock.offer(beat(epoch=0))
    assert clock.offer(beat(epoch=1))
    assert clock.queued == 1


def test_speech_replaces_idle_beats_that_have_not_left() -> None:
    clock = MediaClock()
    for _ in range(3):
        clock.offer(beat())
    run(clock, 0)
    clock.offer(beat(1, keyframe=True))
    assert clock.queued == 1
    (release,) = run(clock, 1)
    assert (release.utterance, release.keyframe, release.pts_90k) == (1, True, SLOT_TICKS_90K)


def test_speech_that_refers_to_idle_frames_waits_for_them() -> None:
    clock = MediaClock()
    clock.offer(beat())
    clock.offer(beat(1))
    assert clock.queued == 2


def test_speech_replaces_no_speech() -> None:
    clock = MediaClock()
    clock.offer(beat(1, last=True))
    clock.offer(beat())
    clock.offer(beat(2, keyframe=True))
    assert clock.queued == 2
    assert [release.utterance for release in run(clock, 0, 1, 2, 3)] == [1, 1, 2, 2]


def test_speech_does_not_cut_the_beat_of_speech_being_released() -> None:
    clock = MediaClock()
    clock.offer(beat(1, last=True))
    run(clock, 0)
    clock.offer(beat(2, keyframe=True))
    assert [release.utterance for release in run(clock, 1, 2)] == [1, 2]


def test_clear_silences_the_next_slot_and_tells_what_was_heard() -> None:
    clock = MediaClock()
    clock.offer(beat(7, 19_200))
    clock.offer(beat(7, 21_120))
    run(clock, 0)
    assert (clock.utterance, clock.position) == (7, 20_160)
    assert clock.clear() == 20_160
    assert (clock.epoch, clock.queued, clock.utterance, clock.position) == (1, 0, 0, 0)
    (release,) = run(clock, 1)
    assert release.silent
    assert clock.clear() == 0


def test_clear_between_two_releases_of_one_wake_up_takes_effect() -> None:
    clock = MediaClock()
    clock.offer(beat(1))
    run(clock, 0)
    due = clock.advance(START + 2 * SLOT_S)
    assert next(due).utterance == 1
    clock.clear()
    assert next(due).silent


@pytest.mark.parametrize(("samples", "lasts"), [(0, [True, False]), (100, [True, False]), (960, [True, False]),
                                                (961, [False, True]), (1920, [False, True])])  # fmt: skip
def test_the_end_of_an_utterance_is_told_with_its_last_sample(samples: int, lasts: list[bool]) -> None:
    clock = MediaClock()
    clock.offer(beat(3, 960, samples, last=True))
    releases = run(clock, 0, 1)
    assert [release.last for release in releases] == lasts
    end = releases[lasts.index(True)]
    assert (end.utterance, end.position) == (3, 960 + samples)
    assert clock.utterance == 0 and clock.clear() == 0
    assert [release.utterance for release in releases][lasts.index(True) + 1 :] in ([0], [])


def test_idle_beats_within_an_utterance_do_not_end_it() -> None:
    clock = MediaClock()
    clock.offer(beat(2))
    clock.offer(beat())
    run(clock, 0, 1, 2)
    assert clock.clear() == 1920


def test_a_conversation_without_a_picture() -> None:
    clock = MediaClock()
    clock.offer(beat(1, picture=b""))
    assert run(clock, 0)[0].picture is None


def test_ducking_is_a_ramp_over_one_slot() -> None:
    clock = MediaClock()
    for number in range(3):
        clock.offer(beat(1, 1920 * number, level=10_000))
    assert pcm(run(clock, 0)) == [10_000]
    clock.set_gain(-20)
    (ramp,) = run(clock, 1)
    assert ramp.pcm48k[0] == 10_000 and abs(int(ramp.pcm48k[-1]) - 1000) <= 1
    assert np.all(np.diff(ramp.pcm48k) <= 0)
    assert all(abs(level - 1000) <= 1 for level in pcm(run(clock, 2)))
    clock.set_gain(0)
    (ramp,) = run(clock, 3)
    assert abs(int(ramp.pcm48k[0]) - 1000) <= 1 and ramp.pcm48k[-1] == 10_000
    assert pcm(run(clock, 4)) == [10_000]


def test_loudness_is_clipped() -> None:
    clock = MediaClock()
    clock.offer(beat(1, level=30_000))
    clock.set_gain(20)
    assert pcm(run(clock, 0)) == [32_767]


@pytest.mark.parametrize("idle", [None, beat()])
def test_a_ramp_may_pass_in_silence(idle: Beat | None) -> None:
    clock = MediaClock()
    clock.set_gain(-20)
    if idle is not None:
        clock.offer(idle)
    run(clock, 0, 1)
    clock.offer(beat(1, level=10_000))
    (release,) = run(clock, 2)
    assert np.all(np.abs(release.pcm48k - 1000) <= 1)


def test_a_lead_lets_speech_run_ahead_but_not_silence() -> None:
    clock = MediaClock(lead_s=0.1)
    assert len(run(clock, 0)) == 1
    for number in range(10):
        clock.offer(beat(1, 1920 * number))
    assert clock.next_due() < START
    releases = run(clock, 0)
    assert len(releases) == 5 and all(release.utterance for release in releases)
    assert len(run(clock, 1)) == 1
    clock.clear()
    assert run(clock, 2) == []
    assert clock.next_due() == pytest.approx(START + 7 * SLOT_S)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("speak"), st.integers(1, 4)),
        st.tuples(st.just("idle"), st.integers(1, 3)),
        st.tuples(st.just("wait"), st.floats(0.0, 0.5)),
        st.tuples(st.just("clear"), st.just(0)),
    ),
    max_size=60,
)


@given(steps)
def test_whatever_happens_sound_and_picture_stay_together(script: list[tuple[str, float]]) -> None:
    clock, now = MediaClock(), START
    released: list[Release] = list(clock.advance(now))
    times = [now] * len(released)
    utterance = position = 0
    heard: dict[int, int] = {}
    for what, amount in script:
        if what == "speak":
            if not position:
                utterance += 1
            for _ in range(int(amount)):
                clock.offer(beat(utterance, position, keyframe=position == 0, epoch=clock.epoch))
                position += 1920
        elif what == "idle":
            for _ in range(int(amount)):
                clock.offer(beat(epoch=clock.epoch))
        elif what == "clear":
            before = heard.get(utterance, 0) if position else 0
            assert clock.clear() == before
            position = 0
        else:
            now += amount
            fresh = list(clock.advance(now))
            released += fresh
            times += [now] * len(fresh)
            for release in fresh:
                if release.utterance:
                    assert release.position == heard.get(release.utterance, 0) + release.speech_samples
                    heard[release.utterance] = release.position
            assert clock.next_due() > now
            assert len(fresh) <= MAX_LATE_S / SLOT_S + 1
    for earlier, later in pairwise(released):
        assert later.pts_48k > earlier.pts_48k and later.pts_48k % SLOT_SAMPLES == 0
    for release, time in zip(released, times, strict=True):
        assert release.pts_90k * SLOT_SAMPLES == release.pts_48k * SLOT_TICKS_90K
        due = START + release.pts_48k / 48_000
        assert due - 1e-6 <= time <= due + MAX_LATE_S + SLOT_S
        assert release.silent == (release.speech_samples == 0)
