"""Where HTML's own text ends and its tags begin, in linear time; and that it is neither broken nor absurdly deep."""

import re
from collections.abc import Iterator

from apps.templates.braces import Tag
from apps.templates.faults import Fault, RenderError, place_of

MOST_DEPTH = 100
Span = tuple[int, int]

_TAG = re.compile(r"<(?P<closing>/?)(?P<name>[a-zA-Z][a-zA-Z0-9:-]*+)(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+>")
_OPENING = re.compile(r"<!--|<[a-zA-Z/]|<[!?]")
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_RAW = {name: re.compile(f"</{name}", re.IGNORECASE) for name in ("style", "script", "title", "mj-style", "textarea")}
_IMPLIED = frozenset({"p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option"})


def spans(text: str) -> Iterator[Span]:
    """Tags, comments, styles: everything that is not text. An unclosed one raises ValueError(its position)."""
    position = 0
    while opening := _OPENING.search(text, position):
        start = opening.start()
        position = _end(text, start, opening[0])
        yield start, position


def check(source: str, tags: list[Tag], *, is_xml: bool) -> None:
    """Raises RenderError: invalid_markup."""
    unclosed = _VOID if is_xml else _VOID | _IMPLIED
    text = blanked(source, tags)
    depth = 0
    try:
        for start, _ in spans(text):
            found = _TAG.match(text, start)
            name = found["name"].lower() if found else "!"
            if found is None or name in unclosed or name in _RAW or found[0].endswith("/>"):
                continue
            depth += -1 if found["closing"] else 1
            if depth > MOST_DEPTH:
                raise _error(source, start, f"Elements are nested more than {MOST_DEPTH} deep.")
    except ValueError as error:
        raise _error(source, int(str(error)), "This `<` opens a tag or comment that is never closed.") from None


def blanked(source: str, tags: list[Tag]) -> str:
    """Liquid as a row of x, as long as it was, so that places stay right."""
    blank = list(source)
    for tag in tags:
        blank[tag.start : tag.end] = "x" * (tag.end - tag.start)
    return "".join(blank)


def _end(text: str, start: int, opening: str) -> int:
    if opening == "<!--":
        return _after(text, "-->", start)
    if opening in ("<!", "<?"):
        return _after(text, ">", start)
    found = _TAG.match(text, start)
    if found is None:
        raise ValueError(start)
    name = found["name"].lower()
    if name in _RAW and not found["closing"] and not found[0].endswith("/>"):
        close = _RAW[name].search(text, found.end())
        if close is None:
            raise ValueError(start)
        return _after(text, ">", close.start())
    return found.end()


def _after(text: str, sought: str, start: int) -> int:
    found = text.find(sought, start)
    if found < 0:
        raise ValueError(start)
    return found + len(sought)


def _error(source: str, index: int, detail: str) -> RenderError:
    line, column = place_of(source, index)
    return RenderError(Fault.MARKUP, detail, line=line, column=column)
