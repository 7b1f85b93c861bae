"""Audiences that need no tree: everybody, or whoever is in any of some segments and lists or is named. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Shape:
    """`kind`: everyone, some or rules. `groups`: `segment:key`, `list:key`. `rules`: the tree, where it is no simpler."""

    kind: str = "some"
    groups: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    rules: Mapping[str, Any] | None = None


def read(rule: Mapping[str, Any] | None) -> Shape:
    if not rule:
        return Shape()
    if rule == {"everyone": True}:
        return Shape("everyone")
    parts = rule["any"] if set(rule) == {"any"} and isinstance(rule["any"], list) else [rule]
    groups: list[str] = []
    users: list[str] = []
    for part in parts:
        kind, value = next(iter(part.items())) if isinstance(part, Mapping) and len(part) == 1 else ("", None)
        if kind in ("segment", "list") and isinstance(value, str):
            groups.append(f"{kind}:{value}")
        elif kind == "users" and isinstance(value, list):
            users += map(str, value)
        else:
            return Shape("rules", rules=rule)
    return Shape("some", tuple(groups), tuple(users))


def any_of(groups: Iterable[str], users: Iterable[str]) -> dict[str, Any] | None:
    """The rule for what was chosen; None: nobody."""
    parts: list[dict[str, Any]] = []
    for group in groups:
        kind, _, key = group.partition(":")
        parts.append({kind: key})
    if named := list(dict.fromkeys(name for text in users if (name := text.strip()))):
        parts.append({"users": named})
    if len(parts) < 2:
        return parts[0] if parts else None
    return {"any": parts}
