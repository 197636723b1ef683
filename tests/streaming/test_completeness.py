import pytest

from streaming.completeness import Completeness, completeness, is_backchannel, is_stop_phrase


@pytest.mark.parametrize(
    "text",
    [
        "What is your name",
        "how does it work",
        "Yes.",
        "yes",
        "no thanks",
        "I like it!",
        "你叫什么",
        "今天天气好吗",
        "我知道了。",
        'He said "go."',
    ],
)
def test_finished(text: str) -> None:
    assert completeness(text) is Completeness.COMPLETE


@pytest.mark.parametrize(
    "text",
    ["I would like to", "and then um", "um", "because,", "well...", "tell me about the", "我想问一下关于", "因为"],
)
def test_unfinished(text: str) -> None:
    assert completeness(text) is Completeness.INCOMPLETE


@pytest.mark.parametrize("text", ["", "...?", "he might even have been made amiable himself", "红色的汽车", "\"'"])
def test_undecided(text: str) -> None:
    assert completeness(text) is not Completeness.COMPLETE


def test_chinese_full_stop_finishes_what_no_particle_does() -> None:
    assert completeness("红色的汽车") is Completeness.UNKNOWN
    assert completeness("红色的汽车。") is Completeness.COMPLETE


@pytest.mark.parametrize("text", ["", "mm-hmm", "Yeah, okay", "right", "嗯", "好的"])
def test_backchannels(text: str) -> None:
    assert is_backchannel(text)


@pytest.mark.parametrize("text", ["yes but why", "what", "为什么"])
def test_not_backchannels(text: str) -> None:
    assert not is_backchannel(text)


@pytest.mark.parametrize(
    "text",
    ["Stop!", "stop it please", "please stop", "wait a second", "no", "no that is wrong", "hold on", "等等", "你停下"],
)
def test_stop_phrases(text: str) -> None:
    assert is_stop_phrase(text)


@pytest.mark.parametrize("text", ["", "nothing to add", "the bus stops there", "I know", "好的"])
def test_not_stop_phrases(text: str) -> None:
    assert not is_stop_phrase(text)
