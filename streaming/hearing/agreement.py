"""Which words of a growing transcript will stay: LocalAgreement-2.

A recognizer that is asked again and again about a growing sound changes its mind about the newest words. What two
successive answers have in common at their beginning is settled and told; the rest waits (Machacek, Dabre & Bojar,
"Turning Whisper into Real-Time Transcription System", IJCNLP-AACL 2023, arXiv 2307.14743).

Sans-I/O. Words are compared without case and punctuation, since both change with what follows; Chinese, Japanese
and Korean, which are written without spaces, are compared character by character.
"""

from __future__ import annotations

import re
import unicodedata

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
_UNIT = re.compile(rf"\s*(?:[{_CJK}][^\w\s]*|[^\s{_CJK}]+)")


def units(text: str) -> list[str]:
    """Words with the space before and the punctuation behind them; joined they are ``text`` again, less the space at its end."""
    return _UNIT.findall(text)


def _key(unit: str) -> str:
    bare = "".join(c for c in unit if unicodedata.category(c)[0] not in "PZS")
    return bare.casefold().strip()


class LocalAgreement:
    """Attributes:
    settled: the beginning that two successive transcripts agreed on; only grows.
    """

    def __init__(self) -> None:
        self._settled: list[str] = []
        self._rest: list[str] = []

    @property
    def settled(self) -> str:
        return "".join(self._settled).strip()

    def hear(self, text: str) -> str:
        """Take the next transcript of the same, now longer, sound; returns ``settled``."""
        rest = units(text)[len(self._settled) :]
        agreed = 0
        for old, new in zip(self._rest, rest, strict=False):
            if _key(old) != _key(new):
                break
            agreed += 1
        self._settled += rest[:agreed]
        self._rest = rest[agreed:]
        return self.settled

    def finish(self, text: str) -> str:
        """The last transcript as it can be told: settled words stay as they were told, the rest is ``text``'s."""
        if not self._settled:
            return text.strip()
        return "".join([*self._settled, *units(text)[len(self._settled) :]]).strip()
