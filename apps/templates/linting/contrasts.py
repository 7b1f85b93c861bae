"""Whether inline colours can be read on each other. What a style sheet says is not looked at; unknown colours are no remark."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from apps.templates.linting.colours import BLACK, WHITE, Colour, colour_of, contrast, declarations, hex_of, pixels
from apps.templates.linting.findings import Finding, Severity, placed
from apps.templates.linting.walking import IMPLIED, Element, Part, Text

ENOUGH, ENOUGH_WHEN_LARGE = 4.5, 3.0
LARGE, LARGE_BOLD = 24.0, 18.66
_BOLD = frozenset({"b", "strong", "h1", "h2", "h3", "h4", "h5", "h6", "th"})
_HEADINGS = {"h1": 32.0, "h2": 24.0, "h3": 18.72}
_BUTTON = {"mj-button": (WHITE, (0x41, 0x41, 0x41))}


@dataclass(frozen=True, slots=True)
class Look:
    """How text appears at a place: None is unknown. `by`: the element that said so; -1: none did."""

    name: str = ""
    text: Colour | None = BLACK
    ground: Colour | None = WHITE
    size: float = 16.0
    is_bold: bool = False
    is_hidden: bool = False
    by: int = -1


def low_contrasts(source: str, parts: Sequence[Part], *, field: str) -> Iterator[Finding]:
    """One remark for each element whose colours are too close."""
    told: set[int] = set()
    for look, _ in looks(parts):
        if look.by < 0 or look.by in told or look.text is None or look.ground is None:
            continue
        ratio = contrast(look.text, look.ground)
        is_large = look.size >= (LARGE_BOLD if look.is_bold else LARGE)
        enough = ENOUGH_WHEN_LARGE if is_large else ENOUGH
        if ratio < enough:
            told.add(look.by)
            said = (
                f"{hex_of(look.text)} on {hex_of(look.ground)} has a contrast of {ratio:.1f}:1; {enough}:1 can be read."
            )
            yield placed("low_contrast", Severity.WARNING, said, field=field, source=source, index=look.by)


def looks(parts: Iterable[Part]) -> Iterator[tuple[Look, Text]]:
    """Every visible text with how it appears."""
    stack = [Look()]
    opened: dict[str, int] = {}
    for part in parts:
        if isinstance(part, Text):
            if part.text.strip() and not stack[-1].is_hidden:
                yield stack[-1], part
        elif part.is_closing:
            if opened.get(part.name):
                _close(stack, opened, part.name)
        elif not part.is_alone:
            if part.name in IMPLIED and stack[-1].name == part.name:
                _close(stack, opened, part.name)
            stack.append(_look(stack[-1], part))
            opened[part.name] = opened.get(part.name, 0) + 1


def _close(stack: list[Look], opened: dict[str, int], name: str) -> None:
    while True:
        top = stack.pop().name
        opened[top] -= 1
        if top == name:
            return


def _look(around: Look, element: Element) -> Look:
    style = declarations(element.said("style"))
    text, ground = around.text, around.ground
    by = around.by
    if element.name in _BUTTON:
        text, ground = _BUTTON[element.name]
        by = element.at
    is_mjml = element.name.startswith("mj-")
    if said := style.get("color") or (element.said("color") if is_mjml or element.name == "font" else ""):
        text, by = colour_of(said), element.at
    if said := _ground(style, element, is_mjml=is_mjml):
        ground = around.ground if said.lower() in ("transparent", "none") else colour_of(said)
        by = element.at
    if "url(" in style.get("background-image", "") or element.said("background") or element.said("background-url"):
        ground = None
    weight = style.get("font-weight") or element.said("font-weight")
    is_bold = weight in ("bold", "600", "700", "800", "900") if weight else around.is_bold or element.name in _BOLD
    size = pixels(style.get("font-size", "") or element.said("font-size")) or _HEADINGS.get(element.name, around.size)
    is_hidden = around.is_hidden or style.get("display") == "none" or style.get("visibility") == "hidden" or size <= 1
    return replace(
        around, name=element.name, text=text, ground=ground, size=size, is_bold=is_bold, is_hidden=is_hidden, by=by
    )


def _ground(style: dict[str, str], element: Element, *, is_mjml: bool) -> str:
    said = style.get("background-color") or style.get("background") or element.said("bgcolor")
    if is_mjml:
        said = said or element.said("background-color") or element.said("container-background-color")
    return said
