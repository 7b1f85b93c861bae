"""The variables that a message names, and whether some data has them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.templates import engine
from apps.templates.content import Field
from apps.templates.faults import RenderError

MOST_PATHS = 200
_MOST_DEPTH = 6
_LOCAL = frozenset({"forloop", "content", "preheader"})


@dataclass(frozen=True, slots=True)
class Variable:
    """`name`: as an author writes it, `data.items[0].name`. `fields`: where it is named."""

    name: str
    path: tuple[str | int, ...]
    fields: tuple[str, ...]


def variables_of(content: Mapping[str, str], fields: Mapping[str, Field]) -> list[Variable]:
    """By name. Those of `{% for %}` and `{% assign %}` are left out, and a field that cannot be read names none."""
    found: dict[tuple[str | int, ...], list[str]] = {}
    for field in fields.values():
        for path in _paths(content.get(field.name, ""), is_html=field.is_html):
            known = found.setdefault(path, [])
            if field.name not in known:
                known.append(field.name)
    named = [Variable(name_of(path), path, tuple(where)) for path, where in found.items()]
    return sorted(named, key=lambda one: one.name)


def has(context: Mapping[str, Any], path: Sequence[str | int]) -> bool:
    """Null is not there."""
    value: Any = context
    for step in path:
        value = after(value, step)
    return value is not None


def after(value: Any, step: str | int) -> Any:
    """As the engine looks it up; None where there is nothing."""
    match value:
        case Mapping() if step in value:
            return value[step]
        case list() if isinstance(step, int) and -len(value) <= step < len(value):
            return value[step]
        case list() if value and step in ("first", "last"):
            return value[0 if step == "first" else -1]
        case str() | list() | Mapping() if step == "size":
            return len(value)
    return None


def known_names(context: Mapping[str, Any]) -> list[str]:
    """What an author may write with this data, sorted, at most MOST_PATHS. `user` is another name of `recipient`, and left out."""
    found: list[str] = []
    for name, value in context.items():
        if name != "user":
            found += (name_of(path) for path in _within((name,), value))
    return sorted(found)[:MOST_PATHS]


def name_of(path: Sequence[str | int]) -> str:
    first, *rest = path
    return str(first) + "".join(_step(step) for step in rest)


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if step.replace("-", "_").isidentifier() else f"['{step}']"


def _within(path: tuple[str | int, ...], value: Any) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, Mapping) and len(path) < _MOST_DEPTH:
        for name, item in list(value.items())[:MOST_PATHS]:
            yield from _within((*path, str(name)), item)
    elif isinstance(value, list) and len(path) < _MOST_DEPTH:
        yield path
        if value:
            yield from _within((*path, 0), value[0])
    else:
        yield path


def _paths(source: str, *, is_html: bool) -> Iterator[tuple[str | int, ...]]:
    if "{" not in source:
        return
    try:
        found = engine.parse(source, is_html=is_html, partials=None).analyze(include_partials=False)
    except RenderError:
        return
    for name, places in found.globals.items():
        for place in places if name not in _LOCAL else ():
            # what a variable names (`data[recipient.key]`) is known only when it is rendered
            steps: list[str | int] = []
            for step in place.segments:
                if not isinstance(step, str | int):
                    break
                steps.append(step)
            if steps:
                yield tuple(steps)
