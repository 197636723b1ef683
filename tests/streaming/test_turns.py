"""Turn-taking on its own audio clock: sound is a row of probabilities, one for every 32 ms."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.settings import TurnDetection
from streaming.turns import (
    CONFIRM_VOICE_MS,
    LATE_PAUSE_MS,
    RUN_ON_MS,
    SOFT_SILENCE_MS,
    WINDOW_MS,
    Duck,
    Effect,
    Resumed,
    SpeechBegan,
    SpeechDropped,
    StopSpeaking,
    TranscribeNow,
    TurnEnded,
    TurnTaker,
    Unduck,
    UserState,
)


class Scene:
    """Plays sound to a ``TurnTaker`` and keeps what came of it."""

    def __init__(
        self, detection: TurnDetection | None = None, *, answers: str | None = None, brief_words_count: bool = True
    ) -> None:
        self.turns = TurnTaker(detection or TurnDetection(), brief_words_count=brief_words_count)
        self.effects: list[tuple[float, Effect]] = []
        self.answers = answers

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            self.effects.append((self.turns.now_ms, effect))
            if isinstance(effect, TranscribeNow) and self.answers is not None:
                self.take(self.turns.heard(self.answers, effect.until_ms))

    def play(self, ms: float, probability: float) -> Scene:
        for _ in range(round(ms / WINDOW_MS)):
            self.take(self.turns.voice(probability))
        return self

    def voice(self, ms: float) -> Scene:
        return self.play(ms, 0.9)

    def silence(self, ms: float) -> Scene:
        return self.play(ms, 0.02)

    def playing(self, playing: bool = True) -> Scene:
        self.take(self.turns.output(playing))
        return self

    def kinds(self) -> list[type[Effect]]:
        return [type(effect) for _, effect in self.effects]

    def at(self, kind: type[Effect]) -> float:
        return next(ms for ms, effect in self.effects if isinstance(effect, kind))


def silence_before_end(text: str | None, detection: TurnDetection | None = None) -> float:
    scene = Scene(detection, answers=text).silence(500).voice(1000)
    voice_end_ms = scene.turns.now_ms
    scene.silence(6000)
    (ended,) = [effect for _, effect in scene.effects if isinstance(effect, TurnEnded)]
    return ended.end_ms - voice_end_ms


def test_a_turn_begins_with_padding_and_ends_once() -> None:
    scene = Scene(answers="what is your name").silence(640).voice(1280).silence(3000)
    assert scene.kinds() == [SpeechBegan, TranscribeNow, TurnEnded]
    began = scene.effects[0][1]
    assert isinstance(began, SpeechBegan)
    assert began.start_ms == pytest.approx(640 - 300)
    assert scene.turns.user is UserState.QUIET


def test_padding_never_reaches_before_the_beginning() -> None:
    began = Scene().voice(200).effects[0][1]
    assert isinstance(began, SpeechBegan) and began.start_ms == 0


def test_finished_phrases_are_answered_sooner_than_unfinished_ones() -> None:
    finished, unknown = silence_before_end("what is your name"), silence_before_end("green apples")
    unfinished = silence_before_end("I would like to")
    assert finished <= 352 < unknown <= 544 < unfinished <= 1600
    assert silence_before_end(None) == unknown


def test_eagerness_scales_the_wait() -> None:
    by_eagerness = [
        silence_before_end("green apples", TurnDetection(eagerness=eagerness))
        for eagerness in ("high", "medium", "low")
    ]
    assert by_eagerness == sorted(by_eagerness) and by_eagerness[0] < by_eagerness[2]


def test_silence_kind_waits_a_fixed_time() -> None:
    fixed = TurnDetection(kind="silence", silence_ms=800)
    assert silence_before_end("what is your name", fixed) == silence_before_end("and um", fixed) == 800


def test_a_pause_inside_a_turn_voids_the_transcript() -> None:
    scene = Scene(answers="I would like to").voice(600).silence(700).voice(600)
    assert scene.kinds() == [SpeechBegan, TranscribeNow, Resumed]
    assert scene.turns.voice_is_now


def test_short_gaps_are_not_pauses() -> None:
    scene = Scene().voice(300).silence(64).voice(300)
    assert scene.kinds() == [SpeechBegan]


def test_speakers_who_pause_long_are_given_longer() -> None:
    patient = Scene()
    for _ in range(6):
        patient.voice(600).silence(448)
    assert patient.turns.silence_needed_ms() > TurnTaker(TurnDetection()).silence_needed_ms()
    assert TurnEnded not in patient.kinds()


def test_a_speaker_who_was_cut_off_is_given_longer() -> None:
    scene = Scene(answers="green apples").voice(1000).silence(700)
    before = scene.turns.silence_needed_ms()
    for _ in range(4):
        scene.playing().silence(500).voice(CONFIRM_VOICE_MS + 96).playing(False).silence(1400)
    assert scene.turns.silence_needed_ms() > before


def test_an_interruption_long_after_the_turn_teaches_nothing() -> None:
    scene = Scene(answers="green apples").voice(1000).silence(700)
    before = scene.turns.silence_needed_ms()
    scene.playing().silence(5000).voice(CONFIRM_VOICE_MS + 96)
    assert StopSpeaking in scene.kinds() and scene.turns.silence_needed_ms() == before


def test_clicks_are_nothing_and_breaths_are_dropped() -> None:
    assert Scene().silence(320).voice(64).silence(3000).kinds() == []
    assert Scene().voice(96).silence(3000).kinds() == [SpeechBegan, TranscribeNow, SpeechDropped]


def test_hysteresis_keeps_a_fading_voice() -> None:
    assert TurnEnded not in Scene().voice(300).play(3000, 0.4).kinds()
    assert Scene().play(3000, 0.4).kinds() == []


def test_voice_over_the_avatar_ducks_then_stops() -> None:
    scene = Scene().playing().silence(1000).voice(1000)
    assert scene.kinds() == [Duck, SpeechBegan, StopSpeaking]
    assert scene.at(Duck) - 992 <= 128
    assert scene.at(StopSpeaking) - 992 <= CONFIRM_VOICE_MS + 32


def test_the_gaps_of_speech_do_not_delay_its_taking_the_floor() -> None:
    scene = Scene().playing().silence(992)
    for _ in range(4):
        scene.voice(128).silence(64)
    assert scene.at(StopSpeaking) - 992 <= CONFIRM_VOICE_MS + 96


def test_a_row_of_knocks_does_not_take_the_floor() -> None:
    scene = Scene().playing().voice(96)
    for _ in range(8):
        scene.silence(64).voice(32)
    assert StopSpeaking not in scene.kinds()


def test_no_interruption_where_it_is_not_wanted() -> None:
    detection = replace(TurnDetection(), interrupt_response=False)
    assert Scene(detection).playing().voice(2000).kinds() == [SpeechBegan]


@pytest.mark.parametrize("text", ["stop", "wait", "停下", "no that is not what I asked", "another question"])
def test_words_take_the_floor_at_once(text: str) -> None:
    scene = Scene(answers=text).playing().voice(320).silence(128)
    assert StopSpeaking in scene.kinds()
    assert scene.at(StopSpeaking) <= 320 + 128


def test_words_take_the_floor_while_the_voice_goes_on() -> None:
    scene = Scene().playing().voice(256)
    scene.take(scene.turns.heard("hold on", 0.0))
    assert scene.kinds()[-1] is StopSpeaking


def test_the_avatar_is_lowered_before_a_segment_begins() -> None:
    scene = Scene().playing().silence(320).voice(2 * WINDOW_MS)
    assert scene.effects == [(320 + 2 * WINDOW_MS, Duck())]
    scene.silence(WINDOW_MS)
    assert scene.kinds() == [Duck], "the third of four may still come"
    scene.silence(WINDOW_MS)
    assert scene.kinds() == [Duck, Unduck]
    scene.silence(1000).voice(WINDOW_MS).silence(1000)
    assert scene.kinds() == [Duck, Unduck], "one window alone is a click"
    scene.voice(2 * WINDOW_MS).playing(False)
    assert scene.kinds() == [Duck, Unduck, Duck, Unduck]


def test_an_avatar_that_is_not_interrupted_is_not_lowered() -> None:
    assert Scene(TurnDetection(interrupt_response=False)).playing().voice(1000).kinds() == [SpeechBegan]


@pytest.mark.parametrize("text", ["mm-hmm", "yeah", "嗯", ""])
def test_backchannels_let_the_avatar_go_on(text: str) -> None:
    scene = Scene(answers=text).playing().voice(320).silence(1000)
    assert scene.kinds() == [Duck, SpeechBegan, TranscribeNow, Unduck, SpeechDropped]


def test_a_backchannel_still_sounding_changes_nothing() -> None:
    scene = Scene().playing().voice(256)
    scene.take(scene.turns.heard("yeah", 0.0))
    assert scene.kinds() == [Duck, SpeechBegan]


def test_a_cough_without_words_lets_the_avatar_go_on() -> None:
    scene = Scene().playing().voice(256).silence(1000)
    assert scene.kinds() == [Duck, SpeechBegan, TranscribeNow, Unduck, SpeechDropped]


def test_one_misheard_short_word_is_not_enough() -> None:
    scene = Scene(answers="the").playing().voice(256).silence(1000)
    assert StopSpeaking not in scene.kinds() and scene.kinds()[-2:] == [Unduck, SpeechDropped]


@pytest.mark.parametrize("text", ["but the", "another"])
def test_guessed_words_of_a_brief_sound_are_not_enough(text: str) -> None:
    scene = Scene(answers=text, brief_words_count=False).playing().voice(480).silence(1000)
    assert StopSpeaking not in scene.kinds() and scene.kinds()[-2:] == [Unduck, SpeechDropped]


def test_a_stop_phrase_is_enough_however_brief() -> None:
    assert StopSpeaking in Scene(answers="stop", brief_words_count=False).playing().voice(256).silence(128).kinds()


def test_guessed_words_count_once_the_voice_has_lasted() -> None:
    scene = Scene(brief_words_count=False).playing().voice(320).silence(64).voice(96)
    scene.take(scene.turns.heard("what about", 0.0))
    assert StopSpeaking not in scene.kinds()
    scene.silence(64).voice(32)  # half of it pauses: not confirmed by the voice alone
    scene.take(scene.turns.heard("what about", 0.0))
    assert StopSpeaking in scene.kinds()


def test_a_segment_outlives_the_end_of_the_answer() -> None:
    scene = Scene(answers="what else").playing().voice(256).playing(False).voice(256).silence(1000)
    assert scene.kinds() == [Duck, SpeechBegan, Unduck, TranscribeNow, TurnEnded]


def test_commit_ends_the_turn_and_the_floor_is_the_users() -> None:
    scene = Scene().playing().voice(200)
    scene.take(scene.turns.commit())
    assert scene.kinds() == [Duck, SpeechBegan, StopSpeaking, TurnEnded]
    assert scene.turns.commit() == []


def test_clear_forgets() -> None:
    scene = Scene().voice(500)
    scene.turns.clear()
    assert scene.turns.user is UserState.QUIET and not scene.turns.voice_is_now
    assert scene.turns.heard("late text", 1e9) == []
    scene.silence(3000)
    assert scene.kinds() == [SpeechBegan]


def test_configure_takes_effect() -> None:
    scene = Scene()
    scene.turns.configure(TurnDetection(threshold=0.95))
    assert scene.voice(1000).kinds() == []


def test_partial_text_without_barge_in_changes_nothing() -> None:
    scene = Scene().voice(500)
    assert scene.turns.heard("stop", 0.0) == []


@given(
    st.lists(
        st.one_of(
            st.floats(0, 1).map(lambda p: ("voice", p)),
            st.sampled_from(["", "stop", "yeah", "I want to", "what is that"]).map(lambda t: ("heard", t)),
            st.booleans().map(lambda b: ("output", b)),
            st.just(("commit", None)),
            st.just(("clear", None)),
        ),
        max_size=400,
    )
)
def test_effects_are_always_well_formed(inputs: list[tuple[str, object]]) -> None:
    """Segments open and close alternately; ducks are undone or confirmed, and confirmed by nothing but a segment."""
    turns = TurnTaker(TurnDetection())
    is_open = ducked = False
    for kind, value in inputs:
        match kind:
            case "voice":
                effects = turns.voice(float(value))  # type: ignore[arg-type]
            case "heard":
                effects = turns.heard(str(value), turns.now_ms)
            case "output":
                effects = turns.output(bool(value))
            case "commit":
                effects = turns.commit()
            case _:
                turns.clear()
                is_open = ducked = False
                continue
        for effect in effects:
            match effect:
                case SpeechBegan():
                    assert not is_open
                    is_open = True
                case TurnEnded() | SpeechDropped():
                    assert is_open
                    is_open = False
                case Duck():
                    assert not ducked
                    ducked = True
                case Unduck() | StopSpeaking():
                    assert ducked and (is_open or isinstance(effect, Unduck))
                    ducked = False
                case _:
                    assert is_open
    assert (turns.user is not UserState.QUIET) == is_open


LONGEST_S = 60


def test_a_turn_has_a_greatest_length() -> None:
    scene = Scene().voice(LONGEST_S * 1000 - 100)
    assert scene.kinds() == [SpeechBegan]
    scene.voice(100)
    assert scene.kinds() == [SpeechBegan, TurnEnded] and scene.turns.user is UserState.QUIET


def test_a_long_turn_ends_at_a_pause_between_phrases() -> None:
    early = Scene().voice(48_000).silence(LATE_PAUSE_MS + 32)
    assert TurnEnded not in early.kinds()
    late = Scene().voice(51_000).silence(LATE_PAUSE_MS + 32)
    assert TurnEnded in late.kinds()
    late.voice(200)
    assert late.kinds()[-1] is SpeechBegan, "what follows is heard at once"


def test_a_long_turn_ends_in_a_pause_too() -> None:
    detection = TurnDetection(kind="silence", silence_ms=5000)
    turns = TurnTaker(detection, longest_ms=3000)
    effects = [effect for _ in range(70) for effect in turns.voice(0.9)]  # 2.2 s
    effects += [effect for _ in range(30) for effect in turns.voice(0.0)]
    assert [type(effect) for effect in effects] == [SpeechBegan, TranscribeNow, TurnEnded]


def test_endless_noise_does_not_take_the_floor_from_an_answer_to_it() -> None:
    scene = Scene().voice(LONGEST_S * 1000).playing().voice(30_000)
    assert scene.kinds() == [SpeechBegan, TurnEnded]
    scene.silence(SOFT_SILENCE_MS).voice(1000)
    assert scene.kinds() == [SpeechBegan, TurnEnded, Duck, SpeechBegan, StopSpeaking], "the microphone is heard again"


def test_endless_noise_that_nobody_answers_is_heard_again() -> None:
    scene = Scene().voice(LONGEST_S * 1000 + 500)
    scene.voice(RUN_ON_MS - 1000)
    assert scene.kinds() == [SpeechBegan, TurnEnded]
    scene.voice(1000)
    assert scene.kinds() == [SpeechBegan, TurnEnded, SpeechBegan]
    scene.voice(3_600_000)
    turns = 3_600 / (LONGEST_S + RUN_ON_MS / 1000)
    assert abs(scene.kinds().count(TurnEnded) - turns) < 3


def test_what_could_not_interrupt_for_a_whole_turn_is_dropped() -> None:
    scene = Scene().playing()
    for _ in range(LONGEST_S * 2):
        scene.voice(192).silence(320)
    assert scene.kinds()[:2] == [Duck, SpeechBegan]
    assert StopSpeaking not in scene.kinds() and TurnEnded not in scene.kinds()
    assert [kind for kind in scene.kinds() if kind in (Unduck, SpeechDropped)][:2] == [Unduck, SpeechDropped]
