"""ARPABET (CMU dictionary, forced aligners) to IPA."""

from __future__ import annotations

_IPA = {
    "AA": "ɑː", "AE": "æ", "AH": "ʌ", "AO": "ɔː", "AW": "aʊ", "AX": "ə", "AXR": "ɚ", "AY": "aɪ",
    "B": "b", "CH": "tʃ", "D": "d", "DH": "ð", "DX": "ɾ", "EH": "ɛ", "EL": "əl", "EM": "əm", "EN": "ən",
    "ER": "ɝ", "EY": "eɪ", "F": "f", "G": "ɡ", "HH": "h", "IH": "ɪ", "IX": "ɨ", "IY": "iː", "JH": "dʒ",
    "K": "k", "L": "l", "M": "m", "N": "n", "NG": "ŋ", "NX": "ɾ", "OW": "oʊ", "OY": "ɔɪ", "P": "p",
    "Q": "ʔ", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t", "TH": "θ", "UH": "ʊ", "UW": "uː", "UX": "ʉ",
    "V": "v", "W": "w", "WH": "ʍ", "Y": "j", "Z": "z", "ZH": "ʒ",
    "SIL": "", "SP": "", "SPN": "", "NSN": "",
}  # fmt: skip


def to_ipa(symbol: str) -> str:
    """IPA of one ARPABET symbol, with or without its stress digit; silence and noise give ``""``.

    An unstressed AH ("AH0") is the schwa.

    Raises:
        ValueError: not an ARPABET symbol.
    """
    name = symbol.strip().upper().strip("+<>")
    if name == "AH0":
        return "ə"
    try:
        return _IPA[name.rstrip("012")]
    except KeyError:
        raise ValueError(f"{symbol!r} is not an ARPABET symbol") from None
