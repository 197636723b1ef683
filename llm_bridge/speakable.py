"""Makes written text speakable: markup, code, tables, addresses, emoji and symbols become words or silence.

Every spoken character remembers the written one it stands for, so that captions show the text as written
while the words are heard.
"""

from __future__ import annotations

import html
import re
import unicodedata

from llm_bridge.languages import primary
from llm_bridge.mapped_text import MappedText, Part
from llm_bridge.spoken_symbols import speak_symbols

_CODE_BLOCK = re.compile(r"```[^\n`]*(?:\n.*?(?:```|\Z)|```|\Z)", re.S)
_CODE_SPOKEN = {"en": " The code is on the screen. ", "cmn": "代码请看屏幕。"}

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")
_BREAK = re.compile(r"<(?:br|p|/p|li|/li|/h\d|/tr|/div)\s*/?>", re.I)
_TAG = re.compile(r"</?[a-zA-Z](?![a-z]*://|[^<>\s]*@)[^<>\n]{0,300}>|<!--.*?-->", re.S)
_IMAGE = re.compile(r"!\[([^\]\n]*)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
_LINK = re.compile(r"\[([^\]\n]+)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
_FOOTNOTE = re.compile(r"\[\^?\d{1,3}\](?!\()")

_TABLE_RULE = re.compile(r"^[ \t]*\|?[ \t]*:?-{3,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?[ \t]*$", re.M)
_TABLE_EDGE = re.compile(r"^[ \t]*\|[ \t]*|[ \t]*\|[ \t]*$", re.M)
_TABLE_BAR = re.compile(r"[ \t]*\|[ \t]*")
_RULE = re.compile(r"^[ \t]*(?:[-*_=][ \t]*){3,}$", re.M)
_LINE_MARK = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+•‣·][ \t]+(?:\[[ xX]\][ \t]+)?)+", re.M)
_LIST_NUMBER = re.compile(r"^([ \t]*\d{1,3})[.)、][ \t]*(?=\S)(?!\d)", re.M)

_TIMES = re.compile(r"(?<=\d) ?\* ?(?=\d)")
_EMPHASIS = re.compile(r"\*+|~~+|`+|(?<!\w)_+(?=\w)|(?<=\w)_+(?!\w)|\\(?=[*_`#\[\]()~>])")

_EMAIL = re.compile(r"[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+", re.A)
_URL = re.compile(
    r"<?(?:(?:https?|wss?|ftp)://(?:www\.)?|www\.)([\w.-]*[\w-])(?::(\d{1,5}))?((?:/[^\s<>()\[\]\"'，。！？；：、）》」]*)?)>?",
    re.A,
)
_DOMAIN = re.compile(
    r"(?<![\w.@/-])(?:[a-zA-Z0-9-]+\.)+(?:com|org|net|io|dev|ai|cn|edu|gov|app|uk|de|eu)\b(?!\.?\w)", re.A
)
_DOT = {"en": " dot ", "cmn": "点"}
_AT = {"en": " at ", "cmn": " at "}
_SLASH = {"en": " slash ", "cmn": "斜杠"}
_PORT = {"en": " port ", "cmn": "端口"}
_PATH_SPOKEN = re.compile(r"/([A-Za-z][A-Za-z-]{1,14})/?")
"""A path of one plain word is worth saying; anything longer is for the eyes."""

_SPACES = re.compile(r"[ \t\u00a0\u3000]*\n[\s]*|[ \t\u00a0\u200b\ufeff]{2,}|[\t\u00a0\u200b\ufeff]")
_MARKS_ONLY = re.compile(r"^[\s,;:，、；：.。]+")
_SPACE_BEFORE_MARK = re.compile(r"\s+(?=[,.;:!?，。；：！？])")


def speakable(text: str, language: str) -> MappedText:
    """``text`` as a voice should be given it.

    Args:
        text: Markdown, HTML leftovers, anything a chat model writes.
        language: BCP 47; words for symbols are English or Chinese, other languages leave symbols to the voice.

    Returns:
        The spoken text with its way back to the written one; empty where there is nothing to say.
    """
    if not any(map(str.isalnum, text)):
        return MappedText("", ())
    lang = primary(language)
    words = lang if lang in ("en", "cmn") else "en"
    mapped = MappedText.of(text)
    mapped = mapped.replace(_CODE_BLOCK, _CODE_SPOKEN[words])
    mapped = mapped.rewrite(_ENTITY, lambda match: (html.unescape(match[0]),))
    mapped = mapped.replace(_BREAK, "\n").replace(_TAG, "")
    mapped = mapped.keep(_IMAGE).keep(_LINK).replace(_FOOTNOTE, "")
    mapped = _addresses(mapped, words)
    mapped = _lines(mapped)
    mapped = mapped.replace(_TIMES, " × ").replace(_EMPHASIS, "")
    mapped = _without_emoji(mapped)
    if lang in ("en", "cmn"):
        mapped = speak_symbols(mapped, lang)
    mapped = mapped.rewrite(_SPACES, _joined_lines).replace(_SPACE_BEFORE_MARK, "").replace(_MARKS_ONLY, "")
    if not any(map(str.isalnum, mapped.text)):
        return MappedText("", ())
    return _stripped(mapped)


def _addresses(mapped: MappedText, words: str) -> MappedText:
    dot, slash = _DOT[words], _SLASH[words]

    def email(match: re.Match[str]) -> list[Part]:
        return [match[0].replace("@", _AT[words]).replace(".", dot).replace("_", " ")]

    def url(match: re.Match[str]) -> list[Part]:
        host, port, path = match[1], match[2], match[3]
        stop = re.search(r"[.,;:!?*_]+$", path)
        spoken = host if re.fullmatch(r"[\d.]+", host) else host.replace(".", dot).replace("_", " ")
        if port:
            spoken += _PORT[words] + port
        word = _PATH_SPOKEN.fullmatch(path[: stop.start()] if stop else path)
        if word:
            spoken += slash + word[1]
        return [spoken, stop[0] if stop else ""]

    mapped = mapped.rewrite(_EMAIL, email).rewrite(_URL, url)
    return mapped.rewrite(_DOMAIN, lambda match: (match[0].replace(".", dot),))


def _lines(mapped: MappedText) -> MappedText:
    mapped = mapped.replace(_TABLE_RULE, "").replace(_RULE, "")
    if _TABLE_EDGE.search(mapped.text):
        mapped = mapped.replace(_TABLE_EDGE, "").replace(_TABLE_BAR, ", ")
    mapped = mapped.replace(_LINE_MARK, "")
    return mapped.rewrite(_LIST_NUMBER, lambda match: (match.span(1), ", "))


def _joined_lines(match: re.Match[str]) -> list[Part]:
    """White space becomes one space; a line that ends without a mark gets a comma's pause."""
    if "\n" not in match[0]:
        return [" "]
    before = match.string[: match.start()].rstrip()[-1:]
    return [", " if before.isalnum() and match.end() < len(match.string) else " "]


_PICTURES = ("So", "Sk", "Cs", "Co", "Cn")


def _is_emoji(char: str) -> bool:
    if char < "\u00a9":
        return False
    if (
        char in "\u200d\ufe0e\ufe0f\u20e3©®™"
        or "\U0001f000" <= char <= "\U0001faff"
        or "\U000e0020" <= char <= "\U000e007f"
    ):
        return True
    return unicodedata.category(char) in _PICTURES and char not in "°℃℉№"


def _without_emoji(mapped: MappedText) -> MappedText:
    if not any(map(_is_emoji, mapped.text)):
        return mapped
    kept = [(char, source) for char, source in zip(mapped.text, mapped.sources, strict=True) if not _is_emoji(char)]
    return MappedText("".join(char for char, _ in kept), tuple(source for _, source in kept))


def _stripped(mapped: MappedText) -> MappedText:
    start = len(mapped.text) - len(mapped.text.lstrip())
    end = len(mapped.text.rstrip())
    return MappedText(mapped.text[start:end], mapped.sources[start:end])
