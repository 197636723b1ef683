"""Beats with a renderer that draws in windows: what is ordered when, and what is dropped."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from avatar.beats import RenderedBeat
from avatar.renderer import Stretch
from avatar.speech import BEAT_SAMPLES, SpeechChunk
from avatar.windows import WindowBeatMaker
from tests.avatar.fakes import CountingMotion

WINDOW, LEAD, AHEAD = 9, 3, 3 * BEAT_SAMPLES


class NumberedDrawing:
    def __init__(self, stretch: Stretch) -> None:
        self._frames = [np.full((2, 2, 3), (stretch.first + n) % 251, np.uint8) for n in range(len(stretch.motion))]

    def frames(self) -> list[NDArray[np.uint8]]:
        return self._frames


class NumberingRenderer:
    """Frames that show their number; keeps what was ordered."""

    width = height = 2
    window, lead, lookahead_samples = WINDOW, LEAD, AHEAD

    def __init__(self) -> None:
        self.stretches: list[Stretch] = []
        self.drawn = 0
        self.closed = False

    def draw(self, stretch: Stretch) -> NumberedDrawing:
        count = len(stretch.motion)
        assert 1 <= count <= WINDOW and stretch.first <= self.drawn
        assert len(stretch.pcm48k) == count * BEAT_SAMPLES and len(stretch.speaking) == count
        assert len(stretch.ahead48k) <= AHEAD
        self.drawn = stretch.first + count
        self.stretches.append(stretch)
        return NumberedDrawing(stretch)

    def close(self) -> None:
        self.closed = True


def ramp(beats: float, start: int = 0) -> SpeechChunk:
    return SpeechChunk((start + np.arange(int(beats * BEAT_SAMPLES)) % 30_000 + 1).astype(np.int16))


class Scene:
    def __init__(self) -> None:
        self.renderer, self.motion = NumberingRenderer(), CountingMotion()
        self.maker = WindowBeatMaker(self.renderer, self.motion)
        self.beats: list[RenderedBeat] = []

    def take(self, count: int) -> list[RenderedBeat]:
        made = [self.maker.next() for _ in range(count)]
        self.beats += made
        return made

    def spoken(self) -> NDArray[np.int16]:
        return np.concatenate([beat.pcm48k[: beat.speech_samples] for beat in self.beats])

    def shown(self) -> list[int]:
        return [int(beat.frame[0, 0, 0]) for beat in self.beats]


def test_idle_frames_come_in_order_a_window_at_a_time_and_no_sooner_than_needed() -> None:
    on = Scene()
    on.take(30)
    assert on.shown() == list(range(30))
    assert not any(beat.speech_samples for beat in on.beats)
    assert [stretch.first for stretch in on.renderer.stretches] == [0, 9, 18, 27]
    assert [stretch.slack_frames for stretch in on.renderer.stretches] == [0, LEAD, LEAD, LEAD]


def test_speech_takes_the_place_of_idle_frames_that_have_time_to_be_replaced() -> None:
    on = Scene()
    on.take(2)
    chunk = ramp(20)
    on.maker.push(chunk)
    speech = on.renderer.stretches[1]
    assert speech.first == 2 + LEAD and speech.slack_frames == LEAD
    assert speech.speaking.all() and len(speech.motion) == WINDOW
    assert np.array_equal(speech.ahead48k, chunk.pcm48k[9 * BEAT_SAMPLES : 12 * BEAT_SAMPLES])
    beats = on.take(LEAD + 1)
    assert [beat.speech_samples for beat in beats] == [0] * LEAD + [BEAT_SAMPLES]
    assert on.shown() == list(range(2 + LEAD + 1))


def test_all_of_an_utterance_is_spoken_once_and_its_end_is_told_once() -> None:
    on = Scene()
    on.take(4)
    chunk = ramp(30.4)
    on.maker.push(chunk)
    on.maker.finish()
    on.take(50)
    assert np.array_equal(on.spoken(), chunk.pcm48k)
    assert sum(beat.last for beat in on.beats) == 1
    (end,) = (n for n, beat in enumerate(on.beats) if beat.last)
    assert on.beats[end].speech_samples == int(0.4 * BEAT_SAMPLES)
    assert on.maker.queued_samples == 0


def test_an_end_that_is_told_after_its_frames_were_ordered() -> None:
    on = Scene()
    on.maker.push(ramp(9 + 3))
    on.take(5)
    assert on.maker.queued_samples == 7 * BEAT_SAMPLES
    on.maker.finish()
    on.take(7)
    assert [beat.last for beat in on.beats] == [False] * 11 + [True]


def test_the_rest_of_the_last_window_is_at_rest() -> None:
    on = Scene()
    on.maker.push(ramp(4))
    on.maker.finish()
    (stretch,) = on.renderer.stretches
    assert stretch.speaking.tolist() == [True] * 4 + [False] * 5
    assert stretch.motion["jawOpen"].tolist() == [1.0] * 4 + [0.0] * 5
    assert not stretch.pcm48k[4 * BEAT_SAMPLES :].any() and len(stretch.ahead48k) == 0


def test_a_beginning_waits_for_a_whole_window_and_what_is_heard_ahead() -> None:
    on = Scene()
    on.take(1)
    on.maker.push(ramp(11.9))
    assert len(on.renderer.stretches) == 1
    on.maker.push(ramp(0.2))
    assert len(on.renderer.stretches) == 2


def test_a_voice_slower_than_it_speaks_is_drawn_in_shorter_stretches() -> None:
    on = Scene()
    on.maker.push(ramp(12))
    on.take(6)
    on.maker.push(ramp(4, start=5))
    on.take(1)
    assert [len(stretch.motion) for stretch in on.renderer.stretches] == [9, 4]
    assert on.renderer.stretches[1].speaking.all()


def test_an_interruption_drops_the_sound_and_keeps_the_next_pictures() -> None:
    on = Scene()
    on.maker.push(ramp(40))
    on.take(5)
    on.maker.clear()
    assert on.maker.queued_samples == 0
    on.take(12)
    assert not any(beat.speech_samples for beat in on.beats[5:])
    assert on.shown() == list(range(17))
    after = on.renderer.stretches[-1] if on.renderer.stretches[-1].first == 5 + LEAD else on.renderer.stretches[-2]
    assert after.first == 5 + LEAD and not after.speaking.any()


def test_another_utterance_after_an_interruption() -> None:
    on = Scene()
    on.maker.push(ramp(40))
    on.take(5)
    on.maker.clear()
    on.beats.clear()
    chunk = ramp(10, start=77)
    on.maker.push(chunk)
    on.maker.finish()
    on.take(30)
    assert np.array_equal(on.spoken(), chunk.pcm48k)


def test_every_frame_is_marked_once_and_closing_closes_the_renderer() -> None:
    marked: list[int] = []
    renderer = NumberingRenderer()
    maker = WindowBeatMaker(renderer, CountingMotion(), lambda frame: marked.append(int(frame[0, 0, 0])))
    for _ in range(12):
        maker.next()
    assert marked == list(range(12))
    maker.close()
    assert renderer.closed


def test_nothing_is_ordered_for_an_empty_chunk() -> None:
    on = Scene()
    on.maker.push(SpeechChunk(np.zeros(0, np.int16)))
    assert not on.renderer.stretches and not on.maker.speech_ready()


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("push"), st.integers(1, 25_000)),
            st.tuples(st.just("take"), st.integers(1, 15)),
            st.tuples(st.just("finish"), st.just(0)),
            st.tuples(st.just("clear"), st.just(0)),
        ),
        max_size=40,
    )
)
def test_whatever_happens_sound_stays_whole_and_frames_in_order(steps: list[tuple[str, int]]) -> None:
    on, expected = Scene(), [np.zeros(0, np.int16)]
    value = 1
    for kind, amount in steps:
        if kind == "push":
            chunk = SpeechChunk(np.full(amount, value, np.int16))
            value += 1
            on.maker.push(chunk)
            expected.append(chunk.pcm48k)
        elif kind == "take":
            on.take(amount)
        elif kind == "finish":
            on.maker.finish()
        else:
            spoken = sum(beat.speech_samples for beat in on.beats)
            on.maker.clear()
            expected = [np.concatenate(expected)[:spoken]]
    on.maker.finish()
    on.take(100)
    while on.maker.queued_samples:
        on.take(1)
    spoken_all = on.spoken() if on.beats else np.zeros(0, np.int16)
    assert np.array_equal(spoken_all, np.concatenate(expected))
    assert on.shown() == [number % 251 for number in range(len(on.beats))]


def test_a_beat_is_known_to_speak_before_it_is_made() -> None:
    on = Scene()
    on.maker.push(ramp(30))
    assert on.maker.speech_ready()
    on.maker.clear()
    assert not on.maker.speech_ready()
