"""How many segments a text is billed as. 3GPP TS 23.038 (alphabet), TS 23.040 section 9.2.3.24.1 (concatenation).

GSM-7: 160 characters, or 153 in each part of a longer text; characters of the extension table count twice. One character
outside both makes the whole text UCS-2: 70, or 67 in each part; characters beyond U+FFFF count twice. No pair is split.
"""

from dataclasses import dataclass
from typing import Literal

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM = _BASIC | _EXTENSION


@dataclass(frozen=True, slots=True)
class Count:
    """`units`: septets (gsm7) or UTF-16 code units (ucs2). `outside`: the characters that made it ucs2, each once."""

    encoding: Literal["gsm7", "ucs2"]
    units: int
    segments: int
    outside: str = ""


def count(text: str) -> Count:
    """An empty text has no segment."""
    outside = "".join(dict.fromkeys(char for char in text if char not in _GSM))
    if outside:
        widths = [2 if ord(char) > 0xFFFF else 1 for char in text]
        return Count("ucs2", sum(widths), _segments(widths, 70, 67), outside)
    widths = [2 if char in _EXTENSION else 1 for char in text]
    return Count("gsm7", sum(widths), _segments(widths, 160, 153))


def _segments(widths: list[int], alone: int, part: int) -> int:
    if sum(widths) <= alone:
        return 1 if widths else 0
    segments, used = 1, 0
    for width in widths:
        if used + width > part:
            segments, used = segments + 1, 0
        used += width
    return segments
