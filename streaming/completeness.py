"""Whether what was said so far sounds finished: decides how long a silence must be before it is an answer's turn.

Words, not sound: prosody would know more, but needs a model. The lists hold words after which English and
Mandarin speakers seldom stop for good, and openings that make a short utterance whole.
"""

from __future__ import annotations

import re
from enum import Enum


class Completeness(Enum):
    COMPLETE = "complete"
    UNKNOWN = "unknown"
    INCOMPLETE = "incomplete"


_DANGLING = frozenset(
    """
    a an the this that these those my your his her its our their some any every each no
    and or but nor so because since although though while if unless until when whenever where whether which who whose
    to of in on at by for from with without about into onto over under between through during before after as than like
    is are was were am be been being do does did have has had will would shall should can could may might must
    i you he she we they it's i'm i've i'd i'll we're they're there's that's
    very really quite just also even only not don't doesn't didn't can't won't
    um uh er erm hmm mm ah eh well actually basically maybe perhaps then
    """.split()
)
_QUESTION_OPENERS = frozenset(
    """
    what what's where where's who who's when when's why how how's which whose
    is are am was were do does did can could would will shall should may have has
    tell show explain describe give please
    """.split()
)
_WHOLE_REPLIES = frozenset(
    """
    yes yeah yep no nope okay ok sure right exactly correct thanks hello hi hey goodbye bye stop wait sorry great fine
    good nothing none never maybe please
    """.split()
)
_FILLERS = frozenset("um uh er erm hmm mm ah eh".split())
_BACKCHANNELS = frozenset(
    """
    yes yeah yep yup uh-huh uhhuh mhm mm-hmm mmhmm mm hmm hm ah oh okay ok right sure really wow cool nice great good i see
    um uh er huh aha alright exactly true indeed
    嗯 嗯嗯 对 对对 好 好的 是 是的 哦 噢 啊 呃 明白 知道了
    """.split()
)
_STOP_PHRASES = (
    "stop", "wait", "hold on", "hang on", "no no", "no", "enough", "be quiet", "quiet", "shut up", "excuse me", "pause",
    "stop it", "never mind", "one moment", "one second", "hey", "but",
    "停", "停下", "停止", "等等", "等一下", "别说了", "打住", "安静", "不是", "不对", "够了",
)  # fmt: skip

_ZH_DANGLING = ("和", "跟", "与", "或", "或者", "但是", "但", "可是", "不过", "因为", "所以", "如果", "要是", "然后", "那个", "这个",
                "就是", "还有", "以及", "关于", "对于", "比如", "把", "被", "给", "在", "从", "向", "嗯", "呃", "我", "你", "我想", "一个")  # fmt: skip
_ZH_FINAL = (
    "吗",
    "呢",
    "吧",
    "了",
    "啊",
    "呀",
    "嘛",
    "么",
    "谢谢",
    "你好",
    "再见",
    "什么",
    "多少",
    "哪里",
    "怎么样",
    "怎么办",
    "为什么",
    "好的",
)

_CJK = re.compile(r"[㐀-鿿]")
_WORD = re.compile(r"[a-z0-9]+(?:['’-][a-z0-9]+)*")
_TERMINAL = ".?!。？！"
_CONTINUING = ",;:，；：、—–-…"


def words_of(text: str) -> list[str]:
    """Lower-case words; a stretch of Chinese characters is one word."""
    lowered = text.lower().replace("’", "'")
    return re.findall(r"[㐀-鿿]+|" + _WORD.pattern, lowered)


def completeness(text: str) -> Completeness:
    """How finished ``text`` sounds. Empty text is UNKNOWN."""
    stripped = text.strip().rstrip("\"'”’)）」』")
    if not stripped:
        return Completeness.UNKNOWN
    if stripped.endswith("...") or stripped[-1] in _CONTINUING:
        return Completeness.INCOMPLETE
    words = words_of(stripped)
    if not words:
        return Completeness.UNKNOWN
    last = words[-1]
    if _CJK.match(last):
        return _chinese(stripped.rstrip(_TERMINAL), terminal=stripped[-1] in _TERMINAL)
    if all(word in _FILLERS for word in words) or last in _FILLERS:
        return Completeness.INCOMPLETE
    if stripped[-1] in _TERMINAL:
        return Completeness.COMPLETE
    if last in _WHOLE_REPLIES and len(words) <= 3:
        return Completeness.COMPLETE
    if last in _DANGLING:
        return Completeness.INCOMPLETE
    if words[0] in _QUESTION_OPENERS and len(words) >= 3:
        return Completeness.COMPLETE
    return Completeness.UNKNOWN


def _chinese(text: str, *, terminal: bool) -> Completeness:
    if text.endswith(_ZH_FINAL):
        return Completeness.COMPLETE
    if text.endswith(_ZH_DANGLING):
        return Completeness.INCOMPLETE
    return Completeness.COMPLETE if terminal else Completeness.UNKNOWN


def is_backchannel(text: str) -> bool:
    """Only sounds by which a listener says "go on" (or nothing at all): no reason to fall silent."""
    return all(word in _BACKCHANNELS for word in words_of(text))


def is_stop_phrase(text: str, *, whole: bool = False) -> bool:
    """The user asks for silence: the text is, or (unless ``whole``) begins or ends with, a phrase that takes the floor."""
    joined = " ".join(words_of(text))
    if not joined:
        return False
    if whole:
        return joined in _STOP_PHRASES
    for phrase in _STOP_PHRASES:
        if _CJK.match(phrase):
            if joined.startswith(phrase) or joined.endswith(phrase):
                return True
        elif joined == phrase or joined.startswith(phrase + " ") or (len(phrase) > 3 and joined.endswith(" " + phrase)):
            return True
    return False
