"""Through HTML or MJML with Liquid in it: its elements and texts with their places, in linear time, however broken it is."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import NamedTuple

from apps.templates import markup

VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
IMPLIED = frozenset({"p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option"})
_RAW = frozenset({"style", "script", "title", "mj-style", "textarea"})
_LIQUID = {"{{": "}}", "{%": "%}"}
_OPENER = re.compile(r"\{\{|\{%")
_NAME = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]*+)")
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]++)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s"'<>=]++))?""")


class Attribute(NamedTuple):
    """`value`: as it is written, entities resolved, Liquid as it stands; `at`: where it is named."""

    value: str
    at: int


@dataclass(frozen=True, slots=True)
class Element:
    """An opening or closing tag."""

    name: str
    at: int
    is_closing: bool = False
    is_alone: bool = False
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def said(self, name: str) -> str:
        """The value of an attribute; "" for none."""
        found = self.attributes.get(name)
        return found.value if found else ""


class Text(NamedTuple):
    """What is read between tags; Liquid is a row of x, as long as it was."""

    text: str
    at: int


Part = Element | Text


def without_liquid(source: str) -> str:
    """As long as it was, with its lines; where Liquid stood, there is a row of x."""
    return "".join(re.sub(r"[^\n]", "x", text) if is_liquid else text for is_liquid, text in _pieces(source))


def plain(source: str) -> str:
    """What is said whatever the data: without Liquid."""
    return "".join(text for is_liquid, text in _pieces(source) if not is_liquid)


def _pieces(source: str) -> Iterator[tuple[bool, str]]:
    position = 0
    ends = dict.fromkeys(_LIQUID.values(), 0)
    while found := _OPENER.search(source, position):
        closer = _LIQUID[found[0]]
        if 0 <= ends[closer] < found.end():
            ends[closer] = source.find(closer, found.end())
        end = ends[closer] + 2 if ends[closer] >= 0 else found.end()
        yield False, source[position : found.start()]
        yield True, source[found.start() : end]
        position = end
    yield False, source[position:]


def walk(source: str) -> Iterator[Part]:
    """In order. It ends where a tag is never closed: publishing says so."""
    blank = without_liquid(source)
    position = 0
    try:
        for start, end in markup.spans(blank):
            if start > position:
                yield Text(blank[position:start], position)
            if (name := _NAME.match(blank, start)) is not None:
                yield _element(source, blank, start, end, name)
            position = end
    except ValueError:
        return
    if position < len(blank):
        yield Text(blank[position:], position)


def _element(source: str, blank: str, start: int, end: int, name: re.Match[str]) -> Element:
    called = name[2].lower()
    close = blank.find(">", name.end(), end) if called in _RAW else end - 1
    inside = (name.end(), max(close, name.end()))
    attributes: dict[str, Attribute] = {}
    for match in _ATTRIBUTE.finditer(blank, *inside):
        at, to = match.span(2)
        value = source[at:to] if match[2] else ""
        if value[:1] in ('"', "'"):
            value = value[1:-1]
        attributes.setdefault(match[1].lower(), Attribute(unescape(value), match.start()))
    is_alone = called in VOID or called in _RAW or blank[start:end].endswith("/>")
    return Element(called, start, bool(name[1]), is_alone, attributes)
