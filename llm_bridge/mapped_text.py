"""A text under rewriting that remembers where each of its characters came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Part = str | tuple[int, int]
"""New text, or a stretch of the old one (start, end) that stays."""


@dataclass(frozen=True, slots=True)
class MappedText:
    """Attributes:
    text: as rewritten so far.
    sources: for each character of ``text``, the index in the original it stands for; never decreasing.
    """

    text: str
    sources: tuple[int, ...]

    @staticmethod
    def of(original: str) -> MappedText:
        return MappedText(original, tuple(range(len(original))))

    def rewrite(self, pattern: re.Pattern[str], parts: Callable[[re.Match[str]], Sequence[Part]]) -> MappedText:
        """Replace every match by ``parts(match)``; new text stands for the place where its match began, or
        for the kept stretch it follows."""
        matches = list(pattern.finditer(self.text))
        if not matches:
            return self
        text: list[str] = []
        sources: list[int] = []
        at = 0
        for match in matches:
            text.append(self.text[at : match.start()])
            sources.extend(self.sources[at : match.start()])
            here = self.sources[match.start()] if match.start() < len(self.sources) else 0
            for part in parts(match):
                if isinstance(part, str):
                    text.append(part)
                    sources.extend([here] * len(part))
                elif part[1] > part[0]:
                    text.append(self.text[part[0] : part[1]])
                    sources.extend(self.sources[part[0] : part[1]])
                    here = self.sources[part[1] - 1]
            at = match.end()
        text.append(self.text[at:])
        sources.extend(self.sources[at:])
        return MappedText("".join(text), tuple(sources))

    def replace(self, pattern: re.Pattern[str], new: str) -> MappedText:
        """Replace every match by ``new``."""
        return self.rewrite(pattern, lambda match: (new,))

    def keep(self, pattern: re.Pattern[str], group: int | str = 1) -> MappedText:
        """Replace every match by one of its groups."""
        return self.rewrite(pattern, lambda match: (match.span(group),))
