"""SMS, push and in-app messages: parts and the characters that cost them, sizes, lengths, links."""

import re
import unicodedata
from collections.abc import Iterator, Mapping

import msgspec

from apps.core.enums import Category
from apps.templates import sms
from apps.templates.content import MOST_PUSH_BYTES, MOST_SMS_SEGMENTS
from apps.templates.faults import place_of
from apps.templates.filters import is_safe_link
from apps.templates.linting.findings import Finding, Severity
from apps.templates.linting.walking import plain, without_liquid

LONG_TITLE, LONG_BODY = 50, 178
MANY_PARTS = 4
NEARLY = 3_200
_MOST_CHARACTERS = 12
_STAND_INS: Mapping[str, str] = {
    # quotation marks and apostrophes, dashes, spaces, what cannot be seen
    **dict.fromkeys("\u2019\u2018\u201b\u2032\u00b4`\u02bc", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"'),
    **dict.fromkeys("\u2013\u2014\u2010\u2011\u2012\u2015\u2212\u2022\u00b7", "-"),
    **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u200a\u202f\t", " "),
    **dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad\ufe0f", ""),
    **{
        "\u2026": "...",
        "\u2122": "(TM)",
        "\u00a9": "(C)",
        "\u00ae": "(R)",
        "\u00d7": "x",
        "\u2192": "->",
        "\u201a": ",",
        "\u2039": "<",
        "\u203a": ">",
    },
}
_STOP = re.compile(r"\bstop\b|vars\.(?:unsubscribe_url|preferences_url)", re.IGNORECASE)
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:|\{[{%]", re.IGNORECASE)


def sms_findings(
    content: Mapping[str, str], category: Category | None, rendered: Mapping[str, str] | None
) -> Iterator[Finding]:
    source = content.get("body", "")
    text = rendered.get("body", "") if rendered is not None else plain(source)
    counted = sms.count(text)
    if not counted.segments:
        return
    yield from _parts(counted, is_estimate=rendered is None and text != source)
    if counted.outside:
        yield from _outside(source, text, counted)
    if category is Category.MARKETING and not _STOP.search(source):
        said = "Marketing by SMS says how it ends: “Reply STOP”, or a link {{ vars.unsubscribe_url }}."
        yield Finding("no_stop_words", Severity.WARNING, said, "body")


def push_findings(content: Mapping[str, str], rendered: Mapping[str, str] | None) -> Iterator[Finding]:
    shown = rendered if rendered is not None else {name: plain(text) for name, text in content.items()}
    size = len(msgspec.json.encode(dict(shown)))
    if size > MOST_PUSH_BYTES:
        said = (
            f"It has {size:,} bytes; {MOST_PUSH_BYTES:,} are the most: FCM and APNs take 4,096, Web Push 3,993, "
            "and ids need the rest."
        )
        yield Finding("push_too_large", Severity.ERROR, said, "body")
    elif size > NEARLY:
        said = f"It has {size:,} of {MOST_PUSH_BYTES:,} bytes: longer data will not fit."
        yield Finding("push_nearly_too_large", Severity.WARNING, said, "body")
    yield from _lengths(shown)
    yield from _link("action_url", content, is_within_app=True)
    yield from _link("image_url", content, is_within_app=False)


def in_app_findings(content: Mapping[str, str], rendered: Mapping[str, str] | None) -> Iterator[Finding]:
    yield from _lengths(rendered if rendered is not None else {name: plain(text) for name, text in content.items()})
    said = content.get("action_url", "").strip()
    if said and not is_safe_link(said):
        yield Finding("unsafe_link", Severity.ERROR, f"`{said[:80]}` has a scheme that runs code.", "action_url", 1, 1)


def stand_in(char: str) -> str | None:
    """What says nearly the same within GSM-7; None for letters of another alphabet."""
    if char in _STAND_INS:
        return _STAND_INS[char]
    base = unicodedata.normalize("NFKD", char)[:1]
    if base and base != char and not sms.count(base).outside:
        return base
    return None if unicodedata.category(char)[0] == "L" else ""


def _parts(counted: sms.Count, *, is_estimate: bool) -> Iterator[Finding]:
    name = "GSM-7" if counted.encoding == "gsm7" else "Unicode"
    alone, part = (160, 153) if counted.encoding == "gsm7" else (70, 67)
    room = alone if counted.segments == 1 else part * counted.segments
    parts = f"{counted.segments} part{'s' if counted.segments > 1 else ''}"
    least = "At least " if is_estimate else ""
    said = f"{least}{parts}: {counted.units} of {room} {name} characters."
    if counted.segments > MOST_SMS_SEGMENTS:
        said = f"{least}{parts}; {MOST_SMS_SEGMENTS} are the most."
        yield Finding("too_many_parts", Severity.ERROR, said, "body")
    else:
        severity = Severity.WARNING if counted.segments >= MANY_PARTS else Severity.INFO
        yield Finding("sms_parts", severity, said, "body")


def _outside(source: str, text: str, counted: sms.Count) -> Iterator[Finding]:
    """Every character that turns the text into Unicode, with what it costs and what could stand there."""
    stand_ins = {char: stand_in(char) for char in counted.outside}
    if any(put is None for put in stand_ins.values()):
        letters = "".join(char for char, put in stand_ins.items() if put is None)[:8]
        said = f"Letters outside of GSM-7 ({letters}): a part holds 70 characters, or 67 of a longer text."
        yield Finding("unicode_alphabet", Severity.INFO, said, "body")
        return
    changed = sms.count("".join(text if (put := stand_ins.get(text)) is None else put for text in text))
    blank = without_liquid(source)
    for char, put in list(stand_ins.items())[:_MOST_CHARACTERS]:
        index = next((at for at in (blank.find(char), source.find(char)) if at >= 0), None)
        shown = f"`{char}`" if char.isprintable() and not char.isspace() else "An invisible character"
        others = len(stand_ins) - 1
        together = f" together with {others} other{'s' if others > 1 else ''}" if others else ""
        name = f"{shown} (U+{ord(char):04X}) {{place}}"
        if counted.segments > changed.segments:
            cost = f"makes it {counted.segments} parts instead of {changed.segments}{together}: it is not in GSM-7."
            severity = Severity.WARNING
        else:
            cost = "is not in GSM-7: a part holds 70 characters instead of 160."
            severity = Severity.INFO
        if index is None:
            yield Finding("not_gsm7", severity, f"{name.format(place='from the data')} {cost}", "body")
            continue
        line, column = place_of(source, index)
        said = f"{name.format(place=f'at line {line}, column {column}')} {cost}"
        yield Finding("not_gsm7", severity, said, "body", line, column, char, put)


def _lengths(shown: Mapping[str, str]) -> Iterator[Finding]:
    for name, most in (("title", LONG_TITLE), ("body", LONG_BODY)):
        if (length := len(shown.get(name, ""))) > most:
            said = f"The {name} has {length} characters; phones show about {most}."
            yield Finding(f"long_{name}", Severity.INFO, said, name, 1, 1)


def _link(name: str, content: Mapping[str, str], *, is_within_app: bool) -> Iterator[Finding]:
    said = content.get(name, "").strip()
    if not said:
        return
    if not is_safe_link(said):
        yield Finding("unsafe_link", Severity.ERROR, f"`{said[:80]}` has a scheme that runs code.", name, 1, 1)
    elif not _ABSOLUTE.match(said):
        text = f"`{said[:80]}` is not absolute: write it whole, with https:// or your app's own scheme."
        yield Finding("link_not_absolute", Severity.ERROR, text, name, 1, 1)
    elif said.lower().startswith("http://") or (
        not is_within_app and not said.lower().startswith(("https://", "{{", "{%"))
    ):
        yield Finding("link_not_https", Severity.WARNING, f"`{said[:80]}` must begin with https://.", name, 1, 1)
