"""Every Liquid tag is closed, short and of a kind we have, before the engine sees it.

The engine's own lexer takes `{{ name } and {{ other }}` for one tag, takes quadratic time on unclosed ones, and has `raw`,
whose purpose is to let braces out. This scan is linear and says where.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from apps.templates.faults import Fault, RenderError, place_of

MOST_TAG = 2_000
_DELIMITER = re.compile(r"\{\{|\{%|\}\}|%\}")
_CLOSER = {"{{": "}}", "{%": "%}"}
_NAME = re.compile(r"-?\s*(#|\w+)")
_QUOTED = re.compile(r'"[^"]*"|\'[^\']*\'')
_GAP = re.compile(r"\s{101}")
_STYLE = re.compile(r"<(/?)(?:mj-)?style\b", re.IGNORECASE)
_BLOCKS = frozenset({"if", "unless", "case", "for", "capture", "ifchanged", "comment"})
_UNAVAILABLE = frozenset({"raw", "endraw", "doc", "enddoc", "include", "tablerow", "liquid"})


@dataclass(frozen=True, slots=True)
class Tag:
    """`source[start:end]` is the tag with its braces. `name` is "" for an output."""

    start: int
    end: int
    name: str

    @property
    def is_output(self) -> bool:
        return not self.name


def tags(source: str, *, is_html: bool) -> list[Tag]:
    """All Liquid tags in order. Raises RenderError: stray_braces, syntax_error, limit_exceeded."""
    styles = _styles(source) if is_html else iter(())
    style = next(styles, None)
    found: list[Tag] = []
    position = 0
    while delimiter := _DELIMITER.search(source, position):
        start, opener = delimiter.start(), delimiter[0]
        if opener not in _CLOSER:
            while style is not None and style[1] <= start:
                style = next(styles, None)
            if style is None or start < style[0]:
                raise _error(source, start, Fault.BRACES, f"`{opener}` closes nothing.")
            position = start + 1
            continue
        closer = _DELIMITER.search(source, start + 2)
        if closer is None or closer[0] != _CLOSER[opener]:
            raise _error(source, start, Fault.BRACES, f"`{opener}` is not closed with `{_CLOSER[opener]}`.")
        found.append(_tag(source, start, closer.end()))
        position = closer.end()
    _refuse_unbalanced(source, found)
    return found


def _tag(source: str, start: int, end: int) -> Tag:
    inner = source[start + 2 : end - 2]
    if len(inner) > MOST_TAG or _GAP.search(inner):
        raise _error(source, start, Fault.LIMIT, f"A tag has at most {MOST_TAG} characters and no gaps over 100.")
    if not inner.strip("- \t\r\n"):
        raise _error(source, start, Fault.SYNTAX, "This tag is empty.")
    if source[start : start + 2] == "{{":
        name = ""
    elif (match := _NAME.match(inner)) is None:
        raise _error(source, start, Fault.SYNTAX, "A tag begins with its name, e.g. `{% if data.x %}`.")
    else:
        name = match[1]
    if name in _UNAVAILABLE:
        raise _error(source, start, Fault.SYNTAX, f"The tag `{name}` is not available here.")
    if name not in {"for", "#"} and ".." in _QUOTED.sub("", inner):
        raise _error(source, start, Fault.SYNTAX, "A range `(1..3)` belongs into `{% for %}`.")
    return Tag(start, end, name)


def _refuse_unbalanced(source: str, found: list[Tag]) -> None:
    """The engine says of an open block only that the end came too early, not where it begins."""
    opened: list[Tag] = []
    for tag in found:
        in_comment = bool(opened) and opened[-1].name == "comment"
        if tag.name in _BLOCKS and not in_comment:
            opened.append(tag)
        elif tag.name[:3] == "end" and tag.name[3:] in _BLOCKS:
            if opened and opened[-1].name == tag.name[3:]:
                opened.pop()
            elif not in_comment:
                raise _error(source, tag.start, Fault.SYNTAX, f"`{tag.name}` closes nothing here.")
    if opened:
        name = opened[-1].name
        raise _error(source, opened[-1].start, Fault.SYNTAX, f"`{name}` is not closed with `{{% end{name} %}}`.")


def _styles(source: str) -> Iterator[tuple[int, int]]:
    """Where CSS is, which closes its own braces in twos."""
    begin: int | None = None
    for edge in _STYLE.finditer(source):
        if not edge[1] and begin is None:
            begin = edge.start()
        elif edge[1] and begin is not None:
            yield begin, edge.start()
            begin = None
    if begin is not None:
        yield begin, len(source)


def _error(source: str, index: int, code: Fault, detail: str) -> RenderError:
    line, column = place_of(source, index)
    return RenderError(code, detail, line=line, column=column)
