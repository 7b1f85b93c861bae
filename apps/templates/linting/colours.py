"""Colours of inline styles, and how far apart they are. WCAG 2.2: relative luminance, contrast ratio (1.4.3)."""

import re
from collections.abc import Mapping

Colour = tuple[int, int, int]
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
_HEX = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})")
_RGB = re.compile(r"rgba?\(\s*(\d{1,3})\s*[, ]\s*(\d{1,3})\s*[, ]\s*(\d{1,3})\s*(?:[,/]\s*(?:1(?:\.0*)?|100%)\s*)?\)")
_LENGTH = re.compile(r"(\d{1,4}(?:\.\d{1,4})?)(px|pt|em|rem)")
_PIXELS = {"px": 1.0, "pt": 4 / 3, "em": 16.0, "rem": 16.0}
_NAMED: Mapping[str, Colour] = {
    **{"black": BLACK, "white": WHITE, "silver": (192, 192, 192), "gray": (128, 128, 128), "grey": (128, 128, 128)},
    **{"maroon": (128, 0, 0), "red": (255, 0, 0), "purple": (128, 0, 128), "fuchsia": (255, 0, 255)},
    **{"green": (0, 128, 0), "lime": (0, 255, 0), "olive": (128, 128, 0), "yellow": (255, 255, 0)},
    **{"navy": (0, 0, 128), "blue": (0, 0, 255), "teal": (0, 128, 128), "aqua": (0, 255, 255), "cyan": (0, 255, 255)},
    **{"orange": (255, 165, 0), "pink": (255, 192, 203), "gold": (255, 215, 0), "tomato": (255, 99, 71)},
    **{"lightgray": (211, 211, 211), "lightgrey": (211, 211, 211), "darkgray": (169, 169, 169)},
    **{"darkgrey": (169, 169, 169), "dimgray": (105, 105, 105), "dimgrey": (105, 105, 105)},
    **{"whitesmoke": (245, 245, 245), "crimson": (220, 20, 60), "coral": (255, 127, 80), "indigo": (75, 0, 130)},
    **{"darkblue": (0, 0, 139), "darkgreen": (0, 100, 0), "darkred": (139, 0, 0), "lightblue": (173, 216, 230)},
}


def colour_of(text: str) -> Colour | None:
    """None for what is no plain, opaque colour."""
    said = text.strip().lower()
    if said in _NAMED:
        return _NAMED[said]
    if found := _HEX.fullmatch(said):
        digits = found[1] if len(found[1]) == 6 else "".join(digit * 2 for digit in found[1])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    if found := _RGB.fullmatch(said):
        red, green, blue = (min(int(part), 255) for part in found.groups())
        return red, green, blue
    return None


def hex_of(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def contrast(one: Colour, other: Colour) -> float:
    """1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def pixels(text: str) -> float | None:
    """Of a font size; `em` as if the text around it had 16 px."""
    found = _LENGTH.fullmatch(text.strip().lower())
    return float(found[1]) * _PIXELS[found[2]] if found else None


def declarations(style: str) -> dict[str, str]:
    """Of an inline style, by property; the last of two counts."""
    found = (part.partition(":") for part in style.split(";"))
    return {name.strip().lower(): value.replace("!important", "").strip() for name, _, value in found if value.strip()}


def _luminance(colour: Colour) -> float:
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
