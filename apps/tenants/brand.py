"""How a tenant looks on the pages that its people see: a colour and a picture, safe to show and readable whatever was chosen.

Contrast: WCAG 2.2, success criteria 1.4.3 (4.5:1 for text) and 1.4.11 (3:1 for controls); relative luminance as defined there.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass

from django.core.exceptions import ValidationError

DEFAULT_COLOR = "#0f7a55"
# the darkest ground of a bright page, the brightest of a dark one (static/pages/person.css)
PAPER, NIGHT = "#eef1f0", "#20272a"
TEXT = 4.5
MOST_LOGO = 48_000
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
# svg too: a browser runs no script of a picture in an <img>
_LOGO = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True)
class Brand:
    """`chosen`: the tenant's colour, six digits. `accent` carries `on_accent`, and is readable on paper; `night_accent` and
    `on_night` are the same by night."""

    name: str
    logo: str
    chosen: str
    accent: str
    on_accent: str
    night_accent: str
    on_night: str


def check_color(text: str) -> None:
    if not _COLOR.fullmatch(text):
        raise ValidationError("This is not a colour. Example: #0f7a55.")


def check_logo(text: str) -> None:
    """A data URL and nothing else: a person's settings page asks no other server for anything."""
    found = _LOGO.fullmatch(text)
    if len(text) > MOST_LOGO:
        raise ValidationError(f"This has {len(text)} characters; {MOST_LOGO} are the most.")
    try:
        is_picture = bool(found and b64decode(found[1], validate=True))
    except Base64Error:
        is_picture = False
    if not is_picture:
        raise ValidationError("This is not a picture as data URL. Example: data:image/png;base64,iVBORw0K...")


def brand_of(name: str, color: str, logo: str) -> Brand:
    chosen = color if _COLOR.fullmatch(color) else DEFAULT_COLOR
    day, night = readable(chosen, PAPER), readable(chosen, NIGHT)
    return Brand(name, logo, chosen[1:].lower(), day, ink_on(day), night, ink_on(night))


def readable(color: str, ground: str) -> str:
    """The same hue, darker or lighter until text of it can be read on the ground."""
    hue, light, saturation = rgb_to_hls(*_parts(color))
    step = 0.01 if luminance(ground) < 0.2 else -0.01
    while contrast(color, ground) < TEXT and 0 < light + step < 1:
        light += step
        color = _written(hls_to_rgb(hue, light, saturation))
    return color


def ink_on(color: str) -> str:
    """Black or white, whichever is read better."""
    return max("#ffffff", "#0b0f10", key=lambda ink: contrast(ink, color))


def contrast(one: str, other: str) -> float:
    """1 to 21."""
    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in _parts(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _parts(color: str) -> tuple[float, float, float]:
    red, green, blue = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue


def _written(parts: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(min(max(part, 0), 1) * 255):02x}" for part in parts)
