"""A mail as different programs show it: by day, by night, inverted, without pictures, from right to left. Nothing in it ever runs."""

import re
from enum import StrEnum

_POLICY = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src {}\">"
_PLAIN = "html { font: 14px/1.5 sans-serif; overflow-wrap: anywhere }"
_SCHEME = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)
_DECLARED = re.compile(
    r"""<meta\b[^<>]*\bname\s*=\s*["']?(?:supported-)?color-schemes?\b|prefers-color-scheme|\bcolor-scheme\s*:""",
    re.IGNORECASE,
)
_ALWAYS, _NEVER = "(min-width: 0)", "(max-width: 0)"
_INVERTED = (
    "html { filter: invert(1) hue-rotate(180deg); background: #fff } img { filter: invert(1) hue-rotate(180deg) }"
)


class Look(StrEnum):
    """INVERTED: programs that turn all colours around. BARE: pictures are not loaded. TEXT: the text part."""

    LIGHT = "light"
    DARK = "dark"
    INVERTED = "inverted"
    BARE = "bare"
    TEXT = "text"


def dressed(html: str, look: Look, *, is_rtl: bool = False) -> str:
    """For the `srcdoc` of an iframe with an empty `sandbox`. "" for no mail."""
    if not html:
        return ""
    style = [_PLAIN]
    if look is Look.DARK:
        style.append(":root { color-scheme: dark }" if knows_dark(html) else "html { background: #fff }")
    elif look is Look.INVERTED:
        style.append(_INVERTED)
    chosen = "dark" if look is Look.DARK else "light"
    html = _SCHEME.sub(lambda match: _ALWAYS if match[1].lower() == chosen else _NEVER, html)
    pictures = "'none'" if look is Look.BARE else "https: http: data:"
    direction = '<html dir="rtl">' if is_rtl else ""
    head = f'{_POLICY.format(pictures)}<base target="_blank"><style>{" ".join(style)}</style>'
    return f"<!doctype html>{direction}{head}{html}"


def knows_dark(html: str) -> bool:
    """Whether it says anything about dark mode. Programs leave alone or invert what says nothing."""
    return _DECLARED.search(html) is not None
