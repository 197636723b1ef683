"""How often the offline answerer finds the right answer, and how often it owns up to not knowing.

    python -m benchmarks.answering [--half tuned|held-out|all] [--misses] [--json FILE]

Questions are in ``answering_en.tsv`` and ``answering_zh.tsv``, worded without looking at how the knowledge words
them. Each falls into one of two halves by a hash of its words: thresholds and weights are chosen on ``tuned``;
``held-out`` is what is reported.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from llm_bridge.chat import Message
from llm_bridge.offline.answerer import ANSWER_FROM, OfflineAnswerer

HERE = Path(__file__).parent
LANGUAGES = ("en", "zh")
KINDS = ("plain", "asr", "follow", "unknown")


@dataclass(frozen=True, slots=True)
class Question:
    """Attributes:
    kind: "plain" (a paraphrase), "asr" (misheard words), "follow" (needs what was asked before), "unknown".
    wanted: headings that are right; empty where the answerer should say that it does not know.
    """

    language: str
    kind: str
    wanted: tuple[str, ...]
    text: str
    before: tuple[str, ...]
    held_out: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    question: Question
    answered: str | None
    confidence: float
    cpu_ms: float

    @property
    def right(self) -> bool:
        return self.answered in self.question.wanted if self.question.wanted else self.answered is None


def questions() -> Iterator[Question]:
    """All questions, variants of one line apart."""
    for language in LANGUAGES:
        for line in (HERE / f"answering_{language}.tsv").read_text(encoding="utf-8").splitlines():
            if not line or line.startswith("#"):
                continue
            kind, wanted, texts, *before = line.split("\t")
            headings = () if wanted == "-" else tuple(wanted.split("|"))
            for text in texts.split("|"):
                held_out = zlib.crc32(text.encode()) % 2 == 1
                yield Question(language, kind, headings, text, tuple(before[0].split("|")) if before else (), held_out)


def ask(answerer: OfflineAnswerer, question: Question) -> Outcome:
    """Find the topic for one question."""
    messages = [Message("user", text) for text in (*question.before, question.text)]
    begin = time.thread_time()
    found = answerer.find(messages)
    cpu_ms = (time.thread_time() - begin) * 1000
    best = found[0] if found else None
    if best is None or best.confidence < ANSWER_FROM:
        return Outcome(question, None, best.confidence if best else 0.0, cpu_ms)
    return Outcome(question, best.topic.questions[0], best.confidence, cpu_ms)


def measure(half: str = "all") -> list[Outcome]:
    """Outcomes of the chosen half, in the files' order."""
    answerer = OfflineAnswerer()
    chosen = [q for q in questions() if half == "all" or q.held_out == (half == "held-out")]
    answerer.find([Message("user", "warm up"), Message("user", "预热")])
    return [ask(answerer, question) for question in chosen]


def summary(outcomes: list[Outcome]) -> dict[str, dict[str, float]]:
    """``"en plain" -> {"questions": n, "right": share}`` for each language and kind, and in all."""
    rows: dict[str, dict[str, float]] = {}
    for language in LANGUAGES:
        for kind in (*KINDS, "all"):
            group = [o for o in outcomes if o.question.language == language and kind in (o.question.kind, "all")]
            if group:
                rows[f"{language} {kind}"] = {
                    "questions": len(group),
                    "right": sum(outcome.right for outcome in group) / len(group),
                }
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("tuned", "held-out", "all"), default="held-out")
    parser.add_argument(
        "--misses", action="store_true", help="list the wrong ones (do not look at held-out ones to tune)"
    )
    parser.add_argument("--json", type=Path, help="write outcomes there")
    arguments = parser.parse_args()
    outcomes = measure(arguments.half)
    table = Table("questions", "n", "right", title=f"offline answerer, {arguments.half} questions")
    rows = summary(outcomes)
    for name, row in rows.items():
        table.add_row(name, f"{row['questions']:.0f}", f"{row['right']:.2f}")
    console = Console()
    console.print(table)
    cpu = sorted(outcome.cpu_ms for outcome in outcomes)
    console.print(f"CPU a question: median {cpu[len(cpu) // 2]:.1f} ms, most {cpu[-1]:.1f} ms")
    if arguments.misses:
        for outcome in outcomes:
            if not outcome.right:
                question = outcome.question
                console.print(
                    f"  {question.kind}: {question.text} -> {outcome.answered} ({outcome.confidence:.2f}),"
                    f" wanted {' or '.join(question.wanted) or 'none'}"
                )
    if arguments.json:
        data = {"summary": rows, "outcomes": [asdict(outcome) for outcome in outcomes]}
        arguments.json.write_text(json.dumps(data, ensure_ascii=False, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
