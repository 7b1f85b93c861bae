"""“Did you mean …?” for what a template names and nobody knows."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from apps.templates import engine
from apps.templates.faults import Fault, RenderError
from apps.templates.linting import Finding, Severity
from apps.templates.variables import after, has, name_of

_FILTER = re.compile(r"There is no filter `(\w+)`\.")
_TAG = re.compile(r"unexpected tag '(\w+)'")
_MISSING = re.compile(r"`([^`]+)` (?:is missing|is null)\.")
_UNKNOWN = re.compile(r"There is no `([^`]+)` here")
_STEP = re.compile(r"([A-Za-z_][\w-]*)|\[(\d+)\]|\['([^']*)'\]")
LIKENESS = 0.7
_INNER = frozenset({"#", "content", "illegal", "output"})
_BRANCHES = ("else", "elsif", "when", "endif", "endfor", "endunless", "endcase", "endcapture", "endcomment")


def explained(error: RenderError, source: str, context: Mapping[str, Any]) -> Finding:
    """The error with its place in `source` (the field as it was written), and what may stand there instead."""
    found, put = _suggestion(error.detail, context)
    stands = _stands(source, error, found)
    text = f"{error.detail[:1].upper()}{error.detail[1:]}"
    text = text if text.endswith((".", "…")) else f"{text}."
    if put:
        text = f"{text} Did you mean `{put}`?"
    elif error.code == Fault.MISSING_DATA and found.startswith(("recipient.", "user.")):
        text = f"{text} Say what else to write: `{{{{ {found} | default: '…' }}}}`."
    return Finding(
        str(error.code),
        Severity.ERROR,
        text,
        error.field,
        error.line,
        error.column,
        found if put and stands else "",
        put if stands else None,
    )


def _suggestion(detail: str, context: Mapping[str, Any]) -> tuple[str, str | None]:
    """What is wrong, and what comes close."""
    if match := _FILTER.search(detail):
        return match[1], _closest(match[1], engine.HTML.filters)
    if match := _TAG.search(detail):
        return match[1], _closest(match[1], {*engine.HTML.tags, *_BRANCHES} - _INNER)
    if match := _UNKNOWN.search(detail):
        within = [
            f"{root}.{match[1]}" for root, value in context.items() if isinstance(value, Mapping) and match[1] in value
        ]
        return match[1], within[0] if within else _closest(match[1], context)
    if match := _MISSING.search(detail):
        return match[1], _corrected(match[1], context)
    return "", None


def _corrected(name: str, context: Mapping[str, Any]) -> str | None:
    """The same path with its first wrong step put right; None when nothing comes close, or another step is wrong then."""
    path: list[str | int] = [int(index) if index else word or quoted for word, index, quoted in _STEP.findall(name)]
    value: Any = context
    for place, step in enumerate(path):
        if isinstance(value, Mapping) and step not in value and isinstance(step, str):
            near = _closest(step, [str(key) for key in value])
            right = [*path[:place], near or step, *path[place + 1 :]]
            return name_of(right) if near and has(context, right) else None
        value = after(value, step)
    return None


def _closest(name: str, known: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=LIKENESS)), None)


def _stands(source: str, error: RenderError, found: str) -> bool:
    """Whether that stands just there, so that it can be replaced."""
    lines = source.split("\n")
    if not found or error.line is None or error.column is None or error.line > len(lines):
        return False
    return lines[error.line - 1].startswith(found, error.column - 1)
