"""What one look at the machine gave."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes:
        subject: "microphone", "port", "hearing", ...
        verdict: a PROBLEM stops visitors; a NOTE is worth knowing.
        message: what was found.
        cure: what to do; empty where nothing is wrong.
    """

    subject: str
    verdict: Verdict
    message: str
    cure: str = ""
