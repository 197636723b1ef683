#!/usr/bin/env python3
"""Writes what was measured into docs/motion.md.

    parley motion evaluate --recordings RECORDINGS --data DATA --runs RUNS --out results
    python scripts/motion_docs.py results/motion.json [results/of/parts/motion.json ...]

Each table goes where the page says ``<!-- motion:NAME -->``, in place of what stands there up to ``<!-- end -->``. Later files, of single
parts (``--only``), add to the first and replace what it says.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "motion.md"
WEIGHTS = ROOT / "avatar" / "motion" / "generator" / "weights"

Data = Mapping[str, Any]

SYSTEMS = {
    "model": "**learned, from sound**",
    "rule, with timings": "viseme rules, with phoneme times",
    "phone loop and rule": "phone loop and rules (offline)",
    "acoustic rule": "acoustic rule",
    "linear, four bands": "linear, four bands",
    "energy": "energy",
}
_LEAST_SECONDS = 40.0
_CALLS = {
    "teacher, 40 steps": 40,
    "teacher, plain DDIM-4": 4,
    "student, 4 steps": 4,
    "student, 2 steps": 2,
    "student, 1 step": 1,
}


def filled(page: str, data: Data) -> str:
    """The page with every table for which there are figures.

    Raises:
        ValueError: the page has no place for one.
    """
    for name, table in TABLES.items():
        text = table(data)
        if text is None:
            continue
        place = re.compile(rf"(<!-- motion:{name} -->\n).*?(<!-- end -->\n)", re.DOTALL)
        if not place.search(page):
            raise ValueError(f"the page has no '<!-- motion:{name} -->' followed by '<!-- end -->'")
        page = place.sub(lambda found, text=text: f"{found[1]}\n{text}\n\n{found[2]}", page)  # type: ignore[misc]
    return page


def two(value: float | None) -> str:
    """``.83``; a dash where nothing was measured."""
    return "–" if value is None else re.sub(r"^(-?)0\.", r"\1.", f"{value:.2f}")


def interval(found: Data) -> str:
    if found["value"] is None:
        return "–"
    return f"{two(found['value'])} ({two(found['low'])}–{two(found['high'])})"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def lips(scores: Mapping[str, Data], *, lag: bool = True) -> str:
    """Lip scores, one a row."""
    head = [
        "",
        "opening",
        "width",
        "rounding",
        "p, b, m recalled",
        "false",
        *(["largest lag"] if lag else []),
        "in pauses",
    ]
    rows = []
    for name, score in scores.items():
        row = [name, *(interval(score[part]) for part in ("opening", "width", "rounding", "recalled", "false"))]
        if lag:
            lags = [abs(each) for each in score["lag_ms"].values() if each is not None]
            row.append(f"{max(lags):.0f} ms" if lags else "–")
        rows.append([*row, two(score["pause_opening"])])
    return table(head, rows)


def recordings(data: Data) -> str | None:
    found = data.get("recordings")
    if not found:
        return None
    model = found["model"]
    told = lips({SYSTEMS[name]: found[name] for name in SYSTEMS if name in found})
    return (
        f"{told}\n\n{model['closures']} closures in {model['seconds']:.0f} s. The opening's amplitude is "
        f"{model['amplitude']:.2f} of the reference's."
    )


def clips(data: Data) -> str | None:
    found = data.get("recordings, clip by clip")
    return lips(found) if found else None


def voices(data: Data) -> str | None:
    found = data.get("held-out voices")
    if not found:
        return None
    pooled = lips({f"{SYSTEMS[name]}, all": found[name]["all"] for name in SYSTEMS if name in found}, lag=False)
    groups = {
        name: score for name, score in found["model"].items() if name != "all" and score["seconds"] >= _LEAST_SECONDS
    }
    return (
        f"{pooled}\n\nThe learned motion by engine and language (espeak-ng: fourteen variants never trained on; flite and festival: "
        f"the speaker slt, whom neither has in training):\n\n{lips(groups, lag=False)}"
    )


def people(data: Data) -> str | None:
    found = data.get("people held out")
    if not found:
        return None
    told = lips({SYSTEMS[name]: found[name] for name in SYSTEMS if name in found}, lag=False)
    return f"{told}\n\n{found['model']['closures']} closures in {found['model']['seconds']:.0f} s."


def left_out(data: Data) -> str | None:
    parts = []
    for name, groups in data.items():
        if not name.startswith("encoder-without-") or name.endswith(", closures"):
            continue
        engine = name.removeprefix("encoder-without-")
        whole = groups.get("all", {}).get("seconds")
        shown = {
            group: score
            for group, score in groups.items()
            if score["seconds"] >= _LEAST_SECONDS and (group == "all" or score["seconds"] != whole)
        }
        why = data.get(f"{name}, closures") or {}
        parts.append(f"An encoder trained without {engine}, on {engine}:\n\n{lips(shown, lag=False)}")
        if why:
            missed = ", ".join(
                f"{why['missed'].get(sound, 0)} of {count} {sound}" for sound, count in why["wanted"].items()
            )
            made_up = ", ".join(f"{sound} ({count})" for sound, count in list(why["made up"].items())[:8])
            parts.append(f"Closures missed: {missed}. Made up on: {made_up}.")
    return "\n\n".join(parts) or None


def distorted(data: Data) -> str | None:
    found = data.get("distorted")
    if not found:
        return None
    noise = ", ".join(f"{opening:.3f} at {level}" for level, opening in data["noise alone"].items())
    seeds = data["two seeds"]
    return (
        "The same recordings, distorted; wanted: opening loses at most .10, goal .05.\n\n"
        + lips({"clean": data["recordings"]["model"], **found})
        + f"\n\nOn noise alone the mouth is open by {noise} of full scale (wanted: at most .15).\n\n"
        f"Two seeds on the same sound: lips correlate by {seeds['opening']:.3f} (opening) and {seeds['width']:.3f} (width), wanted "
        f".98; heads by {two(seeds['yaw'])} (yaw) and {two(seeds['pitch'])} (pitch), hands by {two(seeds['hand'])}."
    )


def pixels(data: Data) -> str | None:
    found = data.get("pixels")
    if not found:
        return None
    rows = [
        [
            name, two(row["gap"]), two(row["width"]), two(row.get("recalled")), two(row.get("false")),
            f"{row['lag_ms']:.0f} ms" if "lag_ms" in row else "–",
        ]
        for name, row in found.items()
    ]  # fmt: skip
    return table(["", "gap", "width", "recalled", "false", "largest lag"], rows)


def sampling(data: Data) -> str | None:
    found = data.get("frechet")
    if not found:
        return None
    about = found["about"]
    served, torch = (data.get(f"sampler in {runtime}, CPU seconds a hop", {}) for runtime in ("onnxruntime", "torch"))
    teacher = found.get("teacher, 40 steps", {}).get("value")

    def spent(seconds: Data, name: str) -> str:
        return f"{1000 * seconds[name]:.1f}" if name in seconds else "–"

    rows = []
    for name, distance in found.items():
        if name == "about":
            continue
        share = two(distance["value"] / teacher) if teacher and name in _CALLS else "–"
        rows.append(
            [name, str(_CALLS.get(name, "–")), spent(served, name), spent(torch, name), interval(distance), share]
        )
    int8 = "student, 4 steps, int8"
    if int8 in served:
        rows.append(["student, 4 steps, weights in 8 bits (shipped)", "4", spent(served, int8), "–", "–", "–"])
    beats = data.get("beats in held-out scenes") or {}
    aligned = "; ".join(f"{name} {two(each['value'])} ({two(each['chance_95'])})" for name, each in beats.items())
    if aligned:
        aligned = (
            f"\n\nHands' beats with the accents of the same scenes (in brackets: 95th percentile of chance): {aligned}."
        )
    head = ["", "calls", "ms a hop, onnxruntime", "ms a hop, torch", "Fréchet distance", "over the teacher's"]
    pair = ("teacher, 40 steps", "student, 4 steps")
    told = [
        f"{seconds[pair[0]] / seconds[pair[1]]:.1f} times faster in {runtime}"
        for runtime, seconds in (("onnxruntime", served), ("torch", torch))
        if set(pair) <= set(seconds)
    ]
    faster = f" Forty calls to four: {', '.join(told)} (wanted: 9)." if told else ""
    return (
        f"{table(head, rows)}\n\n{about['windows']:.0f} held-out windows; {about['components']:.0f} components hold "
        f"{about['explained']:.0%} of the training windows' variance. CPU time of one thread, seven new frames, float32.{faster}{aligned}"
    )


def body(data: Data) -> str | None:
    found = data.get("body")
    if not found:
        return None
    of_data = data.get("body of the data") or {}
    modes = ("speaking", "listening", "idle")

    def row(name: str, told: Callable[[Data], str], wanted: str = "") -> list[str]:
        cells = [told(found[mode]) + (f" ({told(of_data[mode])})" if mode in of_data else "") for mode in modes]
        return [name, *cells, wanted]

    def numbers(values: Iterable[float | None], form: str) -> str:
        return ", ".join("–" if value is None else format(value, form) for value in values)

    rows = [
        row("blinks a minute", lambda x: f"{x['blinks']['per_minute']:.1f}", "15–30"),
        row("median interval between blinks", lambda x: numbers([x["blinks"]["median_interval_s"]], ".1f") + " s"),
        row("head, SD of pitch, yaw, roll", lambda x: numbers(x["moving"]["head_sd_deg"], ".1f") + "°"),
        row(
            "head speed, median and 95th percentile", lambda x: numbers(x["moving"]["head_speed_deg_s"], ".1f") + "°/s"
        ),
        row("nods a minute", lambda x: f"{x['nods_per_minute']:.0f}", "while listening"),
        row(
            "median bout of looking at the other person", lambda x: numbers([x["moving"]["gaze_bout_s"]], ".1f") + " s"
        ),
        row("share of the time it looks", lambda x: f"{x['moving']['gaze_mutual']:.0%}"),
        row("a hand is shown", lambda x: f"{x['moving']['hands_shown']:.0%}"),
        row(
            "hand speed, median and 95th percentile", lambda x: numbers(x["moving"]["hand_speed"], ".2f") + " canvas/s"
        ),
    ]
    for moved in ("jumps", "changes of speed", "jumps of the lips"):
        share = row(
            f"{moved} at a hop's edge beyond the 99th percentile of the others",
            lambda x, moved=moved: f"{x[f'{moved} at seams']['worst_share']:.1%}",  # type: ignore[misc]
            "about 1 %",
        )  # fmt: skip
        rows.append(share)
    coupled = "; ".join(
        f"{name}: {two(found['with sound'][name]['value'])}, against {two(found['with sound'][name]['chance_95'])} "
        "(95th percentile) with the sound moved in time"
        for name in ("head speed with loudness", "hand speed with loudness", "hand beats with accents")
    )
    told = found.get("with sound, given phoneme times")
    if told:
        coupled += "; " + "; ".join(
            f"{name}, given phoneme times: {two(told[name]['value'])}, against {two(told[name]['chance_95'])}"
            for name in ("head speed with loudness", "hand beats with accents")
        )
    long = found["an hour"]
    jerks = ""
    if "speaking" in of_data:
        ours, theirs = found["speaking"]["jerk"], of_data["speaking"]["jerk"]
        ratios = ", ".join(f"{part} {ours[part] / theirs[part]:.2f}" for part in ("head", "hands") if part in theirs)
        jerks = f" Jerk over the data's while speaking: {ratios} (wanted: at most 1.2)."
    return (
        table(["(in brackets: held-out data)", *modes, "wanted"], rows)
        + f"\n\n{coupled[0].upper()}{coupled[1:]}. Drift over an hour of listening and idling: {two(long['worst'])} SD "
        f"({long['channel']}) between its first and its last tenth.{jerks} In silence the mouth is open by {found['idle']['opening']:.3f}."
    )


def cost(data: Data) -> str | None:
    found = data.get("cost")
    if not found:
        return None

    def hop(value: float | None) -> str:
        return "–" if value is None else f"{value:.1f} ms"

    rows = [
        [
            "learned" if each["source"] == "shipped" else each["source"],
            *(f"{each[f'{what}_percent']:.1f} %" for what in ("heard", "timed", "listening", "idle")),
            hop(each["hop_p50_ms"]), hop(each["hop_p99_ms"]), f"{each['first_ms']:.0f} ms", f"{each['load_ms']:.0f} ms",
        ]
        for each in found
    ]  # fmt: skip
    head = [
        "",
        "speaking from sound",
        "with phoneme times",
        "listening",
        "idle",
        "hop p50",
        "hop p99",
        "first motion",
        "load",
    ]
    return (
        f"{table(head, rows)}\n\nShares of one core, CPU time of one thread; wanted: speaking at most 10 %, goal 5 %; first motion within "
        "60 ms of the sound that it needs."
    )


def card(data: Data) -> str | None:
    found = data.get("card")
    if not found:
        return None
    encoder, student = found["encoder"], found["student"]
    contents = found["data"]["speech"]["contents"]
    total = sum(contents["train"]["seconds_by_engine"].values())
    shares = ", ".join(
        f"{name} {seconds / total:.0%}" for name, seconds in contents["train"]["seconds_by_engine"].items()
    )
    rows = [
        ["files", ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in data["card files"].items() if size > 1e5)],
        ["sound encoder", f"{encoder['run']['steps']} updates, {encoder['run']['minutes']} minutes"],
        ["teacher", f"{student['teacher']['steps']} updates, {student['teacher']['minutes']} minutes"],
        [
            "student, four steps",
            f"{student['run']['steps']} updates, {student['run']['minutes']} minutes; {student['weights']}",
        ],
        [
            "speech to train on",
            f"{contents['train']['hours']:.1f} h of {contents['train']['speakers']} speakers ({shares}), each thrice",
        ],
        [
            "held out",
            ", ".join(f"{name} {contents[name]['hours']:.2f} h" for name in ("valid", "test", "left-out", "people")),
        ],
    ]
    return table(["", "on two shared cores of a server"], rows)


TABLES: dict[str, Callable[[Data], str | None]] = {
    "recordings": recordings,
    "clips": clips,
    "voices": voices,
    "people": people,
    "left-out": left_out,
    "distorted": distorted,
    "pixels": pixels,
    "sampling": sampling,
    "body": body,
    "cost": cost,
    "card": card,
}


def main() -> None:
    data: dict[str, Any] = {}
    for name in sys.argv[1:]:
        data |= json.loads(Path(name).read_text(encoding="utf-8"))["data"]
    data["card"] = json.loads((WEIGHTS / "card.json").read_text(encoding="utf-8"))
    data["card files"] = {path.name: path.stat().st_size for path in sorted(WEIGHTS.glob("*.onnx"))}
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), data), encoding="utf-8")


if __name__ == "__main__":
    main()
