"""Numbers with units, money, times and symbols, in words: English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Sequence

from llm_bridge.mapped_text import MappedText, Part

_GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_MONEY = re.compile(
    r"(US\$|HK\$|[$€£¥￥₹])\s?(\d+)(?:\.(\d{1,2})(?!\d))?(?:\s?(million|billion|trillion|thousand|[kKmM](?![A-Za-z])|万|亿))?"
)
_MONEY_EN = {
    "$": ("dollar", "cent"), "US$": ("US dollar", "cent"), "HK$": ("Hong Kong dollar", "cent"), "€": ("euro", "cent"),
    "£": ("pound", "pence"), "¥": ("yuan", ""), "￥": ("yuan", ""), "₹": ("rupee", "paisa"),
}  # fmt: skip
_MONEY_CMN = {"$": "美元", "US$": "美元", "HK$": "港元", "€": "欧元", "£": "英镑", "¥": "元", "￥": "元", "₹": "卢比"}
_MAGNITUDE_EN = {"k": "thousand", "K": "thousand", "m": "million", "M": "million"}

_CLOCK = re.compile(r"(?<![\d:.])([01]?\d|2[0-4]):([0-5]\d)(?![\d:])(?:\s?([ap])\.?m\.?(?!\w))?", re.I)
_HOUR = re.compile(r"(?<![\d:.])(1[0-2]|[1-9])\s?([ap])\.?m\b(\.)?", re.I)
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s?[%％]")
_DEGREES = re.compile(r"(-|−)?(\d+(?:\.\d+)?)\s?(°\s?[CF]?(?![A-Za-z])|℃|℉)")
_RANGE = re.compile(r"(?<=\d)\s?[–—~～]\s?(?=[$€£¥]?\d)")
_HYPHEN_RANGE = re.compile(r"(?<![A-Za-z0-9_.-])(\d{1,4})-(\d{1,4})(?![A-Za-z0-9_-]|\.\d)")
_UNIT = re.compile(
    r"(?<![A-Za-z0-9_.])(\d+(?:\.\d+)?)\s?(km/h|km|kg|cm|mm|GHz|MHz|kHz|Hz|GB|MB|KB|TB|ms|fps|px|kbit/s|Mbit/s)(?![A-Za-z0-9_/])"
)
_UNITS_EN = {
    "km/h": "kilometers an hour", "km": "kilometers", "kg": "kilograms", "cm": "centimeters", "mm": "millimeters",
    "GHz": "gigahertz", "MHz": "megahertz", "kHz": "kilohertz", "Hz": "hertz", "GB": "gigabytes", "MB": "megabytes",
    "KB": "kilobytes", "TB": "terabytes", "ms": "milliseconds", "fps": "frames a second", "px": "pixels",
    "kbit/s": "kilobits a second", "Mbit/s": "megabits a second",
}  # fmt: skip
_UNITS_CMN = {
    "km/h": "公里每小时", "km": "公里", "kg": "公斤", "cm": "厘米", "mm": "毫米", "GHz": "吉赫兹", "MHz": "兆赫兹",
    "kHz": "千赫兹", "Hz": "赫兹", "GB": "GB", "MB": "兆", "KB": "KB", "TB": "TB", "ms": "毫秒", "fps": "帧每秒",
    "px": "像素", "kbit/s": "千比特每秒", "Mbit/s": "兆比特每秒",
}  # fmt: skip

_PHRASES_EN = tuple(
    (re.compile(pattern), spoken)
    for pattern, spoken in (
        (r"(?<!\w)[eE]\.\s?g\.,?", "for example,"),
        (r"(?<!\w)[iI]\.\s?e\.,?", "that is,"),
        (r"(?<!\w)etc\b\.?(?=\s+[a-z]|[,;)])", "et cetera"),
        (r"(?<!\w)etc\b", "et cetera"),
        (r"(?<!\w)vs\b\.?(?=\s)", "versus"),
        (r"(?<!\w)approx\.(?=\s)", "approximately"),
        (r"(?<!\w)(?:No\.|№)\s?(?=\d)", "number "),
        (r"(?<=\w)/(?=[A-Za-z])", " "),
        (r"(?<=\b[CFJ])#", " sharp"),
    )
)
_SYMBOLS_EN = {
    "&": " and ", "+": " plus ", "=": " equals ", "≈": " about ", "≥": " at least ", "≤": " at most ", "→": " to ",
    "×": " times ", "÷": " divided by ", "±": " plus or minus ", "≠": " is not ", "−": " minus ",
}  # fmt: skip
_SYMBOLS_CMN = {
    "&": "和", "+": "加", "=": "等于", "≈": "约等于", "≥": "大于等于", "≤": "小于等于", "→": "到", "×": "乘以",
    "÷": "除以", "±": "正负", "≠": "不等于", "−": "减", "№": "第",
}  # fmt: skip
_HASH = re.compile(r"#(?=\d)")
_HANDLE = re.compile(r"(?<!\w)@(?=\w)")
_ABOUT = re.compile(r"(?<![\w~])~(?=\d)")
_COMPARED = re.compile(r"(?<=[\w)]) ?([<>]) ?(?=[\w(])")
_DASH = re.compile(r"\s*[—–]+\s*")
_LEFTOVERS = re.compile(r"[#@^~_<>|\\{}]+")


def speak_symbols(mapped: MappedText, language: str) -> MappedText:
    """``language``: "en" or "cmn"."""
    mapped = mapped.replace(_GROUPED, "")
    return _english(mapped) if language == "en" else _chinese(mapped)


def _english(mapped: MappedText) -> MappedText:
    def money(match: re.Match[str]) -> Sequence[Part]:
        unit, cent = _MONEY_EN[match[1]]
        plural = "" if unit == "yuan" else "s"
        if match[4]:
            decimals = f".{match[3]}" if match[3] else ""
            return [f"{match[2]}{decimals} {_MAGNITUDE_EN.get(match[4], match[4])} {unit}{plural}"]
        spoken = f"{match[2]} {unit}{'' if match[2] == '1' else plural}"
        cents = int((match[3] or "0").ljust(2, "0"))
        if cents and cent:
            cent_plural = "" if cents == 1 or cent in ("pence", "paisa") else "s"
            spoken += f" and {cents} {cent}{cent_plural}" if match[2] != "0" else ""
            spoken = f"{cents} {cent}{cent_plural}" if match[2] == "0" else spoken
        elif cents:
            spoken = f"{match[2]}.{match[3]} {unit}"
        return [spoken]

    def clock(match: re.Match[str]) -> Sequence[Part]:
        hour, minute, half = int(match[1]), int(match[2]), match[3]
        spoken = str(hour)
        if minute == 0:
            spoken += "" if half else " o'clock" if 1 <= hour <= 12 else " hundred" if hour else " o'clock"
        else:
            spoken += f" oh {minute}" if minute < 10 else f" {minute}"
        return [spoken + (f" {half.upper()} M" if half else "")]

    def degrees(match: re.Match[str]) -> Sequence[Part]:
        scale = match[3].replace("°", "").strip()
        name = {"C": " Celsius", "℃": " Celsius", "F": " Fahrenheit", "℉": " Fahrenheit"}.get(scale, "")
        unit = "degree" if match[2] == "1" else "degrees"
        return [f"{'minus ' if match[1] else ''}{match[2]} {unit}{name}"]

    mapped = mapped.rewrite(_UNIT, lambda match: (match.span(1), f" {_one(match[1], _UNITS_EN[match[2]])}"))
    for pattern, spoken in _PHRASES_EN:
        mapped = mapped.replace(pattern, spoken)
    mapped = mapped.rewrite(_MONEY, money).rewrite(_CLOCK, clock)
    mapped = mapped.rewrite(_HOUR, lambda match: (match.span(1), f" {match[2].upper()} M{_last_stop(match)}"))
    mapped = mapped.rewrite(_DEGREES, degrees)
    mapped = mapped.rewrite(_PERCENT, lambda match: (match.span(1), " percent"))
    mapped = mapped.rewrite(_HYPHEN_RANGE, lambda match: (match.span(1), " to ", match.span(2)))
    mapped = mapped.replace(_RANGE, " to ").replace(_HASH, "number ").replace(_HANDLE, "at ")
    mapped = mapped.replace(_ABOUT, "about ")
    mapped = mapped.rewrite(_COMPARED, lambda m: (" less than " if m[1] == "<" else " greater than ",))
    return _symbols(mapped, _SYMBOLS_EN).replace(_DASH, ", ").replace(_LEFTOVERS, " ")


def _last_stop(match: re.Match[str]) -> str:
    """The stop of "p.m." where it ends the text too."""
    return "." if match[3] and not match.string[match.end() :].strip() else ""


def _one(number: str, unit: str) -> str:
    """The unit for exactly one: "1 kilometer"."""
    if number != "1":
        return unit
    head, _, rest = unit.partition(" ")
    return f"{head.removesuffix('s')} {rest}".strip()


def _chinese(mapped: MappedText) -> MappedText:
    def money(match: re.Match[str]) -> Sequence[Part]:
        cents = (match[3] or "").rstrip("0")
        magnitude = {"k": "千", "K": "千", "thousand": "千", "million": "百万", "m": "百万", "M": "百万",
                     "billion": "十亿", "trillion": "万亿"}.get(match[4] or "", match[4] or "")  # fmt: skip
        return [match[2] + (f".{cents}" if cents else "") + magnitude + _MONEY_CMN[match[1]]]

    def clock(match: re.Match[str]) -> Sequence[Part]:
        half = {"a": "上午", "p": "下午"}.get((match[3] or "").lower(), "")
        minute = int(match[2])
        return [f"{half}{int(match[1])}点" + (f"{'零' if minute < 10 else ''}{minute}分" if minute else "")]

    def degrees(match: re.Match[str]) -> Sequence[Part]:
        name = "华氏" if "F" in match[3] or "℉" in match[3] else "摄氏" if "C" in match[3] or "℃" in match[3] else ""
        return [f"{'零下' if match[1] else ''}{name}{match[2]}度"]

    mapped = mapped.rewrite(_MONEY, money).rewrite(_CLOCK, clock).rewrite(_DEGREES, degrees)
    mapped = mapped.rewrite(_UNIT, lambda match: (match.span(1), _UNITS_CMN[match[2]]))
    mapped = mapped.rewrite(_PERCENT, lambda match: ("百分之", match.span(1)))
    mapped = mapped.rewrite(_HYPHEN_RANGE, lambda match: (match.span(1), "到", match.span(2)))
    mapped = mapped.replace(_RANGE, "到").replace(_HASH, "第").replace(_HANDLE, " ").replace(_ABOUT, "大约")
    mapped = mapped.rewrite(_COMPARED, lambda m: ("小于" if m[1] == "<" else "大于",))
    return _symbols(mapped, _SYMBOLS_CMN).replace(_DASH, "，").replace(_LEFTOVERS, " ")


def _symbols(mapped: MappedText, names: dict[str, str]) -> MappedText:
    pattern = re.compile("\\s*([" + re.escape("".join(names)) + "])\\s*")
    return mapped.rewrite(pattern, lambda match: (names[match[1]],))
