"""What publishing found wrong, for a reader: where, what, and the line with a mark under the place."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.core.problems import FieldError, Problem
from apps.templates.forms import VariantForm

CONTEXT = 60


@dataclass(frozen=True, slots=True)
class Mistake:
    """`before`, `at`, `after`: the line, cut in three at the place; empty when there is none. `anchor`: the field's id."""

    where: str
    said: str
    line: int | None
    column: int | None
    before: str
    at: str
    after: str
    anchor: str


def mistakes(problem: Problem, variants: Sequence[VariantForm]) -> list[Mistake]:
    errors = problem.errors or [FieldError("", problem.code, problem.detail)]
    return [_mistake(error, variants) for error in errors]


def _mistake(error: FieldError, variants: Sequence[VariantForm]) -> Mistake:
    place, name = _place(error.pointer)
    if place is None or place >= len(variants):
        return Mistake(_general(error.pointer), error.detail, error.line, error.column, "", "", "", "")
    form = variants[place]
    text = str(form[name].value() or "") if name in form.fields else ""
    return Mistake(
        where=f"{form.heading}{f', {name}' if name else ''}",
        said=error.detail,
        line=error.line,
        column=error.column,
        anchor=f"id_v{place}-{name or 'locale'}",
        **_excerpt(text, error.line, error.column),
    )


def _place(pointer: str) -> tuple[int | None, str]:
    """Of `/variants/2/html` and `/variants/2/content/html`."""
    parts = pointer.strip("/").split("/")
    if len(parts) < 2 or parts[0] != "variants" or not parts[1].isdigit():
        return None, ""
    return int(parts[1]), parts[-1] if len(parts) > 2 else ""


def _general(pointer: str) -> str:
    return pointer.strip("/").partition("/")[0].replace("#path", "key")


def _excerpt(text: str, line: int | None, column: int | None) -> dict[str, str]:
    lines = text.replace("\r\n", "\n").split("\n")
    if line is None or column is None or not 0 < line <= len(lines):
        return {"before": "", "at": "", "after": ""}
    source, index = lines[line - 1], max(0, column - 1)
    return {
        "before": source[max(0, index - CONTEXT) : index],
        "at": source[index : index + 1] or "⏎",
        "after": source[index + 1 : index + 1 + CONTEXT],
    }
