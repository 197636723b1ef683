"""Keeps a model's thinking aloud out of what is spoken."""

from __future__ import annotations

_OPENINGS = ("<think>", "<thinking>", "<reasoning>")


class ReasoningFilter:
    """Drops a reasoning block that opens an answer.

    Some local servers send what a model thinks within its text, between ``<think>`` and ``</think>``, instead of
    in a field of its own. Only the beginning of an answer is looked at: later the tags are part of what is said.
    """

    def __init__(self) -> None:
        self._held = ""
        self._closing: str | None = None
        self._passing = False

    def feed(self, delta: str) -> str:
        """The part of ``delta`` (and of what was held back) to speak; may be empty."""
        if self._passing:
            return delta
        self._held += delta
        if self._closing is None:
            begun = self._held.lstrip()
            opening = next((tag for tag in _OPENINGS if begun.startswith(tag)), None)
            if opening is None:
                if any(tag.startswith(begun) for tag in _OPENINGS):
                    return ""  # nothing yet, or the beginning of a tag
                return self._release(self._held)
            self._closing = f"</{opening[1:]}"
        thought, found, rest = self._held.partition(self._closing)
        if not found:
            self._held = thought[-len(self._closing) :]  # enough to know the tag when its rest comes
            return ""
        if not rest.lstrip():
            self._held = self._closing  # white space after the block belongs to it
            return ""
        return self._release(rest.lstrip())

    def finish(self) -> str:
        """What was held back and turned out to be text."""
        held = "" if self._closing is not None else self._held
        self._held = ""
        return held

    def _release(self, text: str) -> str:
        self._passing = True
        self._held = ""
        return text
