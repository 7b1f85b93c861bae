"""The tree of rules that describes people: read, bounded, checked against the fields that there are. Pure.

{"all": [..]} {"any": [..]} {"none": [..]}                       groups, never empty
{"field": "attributes.plan", "op": "is", "value": "pro"}         a leaf; some operations take no value
{"segment": "vip"} {"list": "guests"}                            another segment, by its key or id
{"everyone": true} {"users": ["u_1", "u_2"]}
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from apps.audience.segments import fields
from apps.core.problem_codes import Code
from apps.core.problems import Problem

MOST_DEPTH = 10
MOST_NODES = 200
MOST_USERS = 10_000
LONGEST_NAME = 128
GROUPS = ("all", "any", "none")
KINDS = (*GROUPS, "field", "segment", "list", "everyone", "users")


@dataclass(frozen=True, slots=True)
class Group:
    """`word`: all, any or none of the parts."""

    word: str
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """`path`: what follows the name of a family of fields (`attributes.plan`: `plan`)."""

    field: fields.Field
    path: str
    op: str
    value: Any
    pointer: str

    @property
    def name(self) -> str:
        return self.field.key + self.path


@dataclass(frozen=True, slots=True)
class Named:
    """Another segment, or a list (`is_list`), by key or shown id."""

    name: str
    is_list: bool
    pointer: str


@dataclass(frozen=True, slots=True)
class Everyone:
    pass


@dataclass(frozen=True, slots=True)
class Users:
    user_ids: tuple[str, ...]


Node: TypeAlias = Group | Leaf | Named | Everyone | Users


def parse(data: object, pointer: str = "") -> Node:
    """Raises Problem with the pointer of the very place: invalid_segment_rule, unknown_rule_field, out_of_range, too_deep, wrong_type,
    nul_byte."""
    return _Reader().read(data, pointer, 1)


def named(node: Node) -> Iterator[Named]:
    """Every segment and list that it speaks of, in its order."""
    return (one for one in walk(node) if isinstance(one, Named))


def named_in(data: object) -> Iterator[tuple[str, bool]]:
    """(name, is_list) of what a stored tree speaks of, also where a field that it asks about is gone."""
    if isinstance(data, Mapping):
        for word in GROUPS:
            for part in data.get(word) or ():
                yield from named_in(part)
        yield from ((data[kind], kind == "list") for kind in ("segment", "list") if isinstance(data.get(kind), str))


def leaves(node: Node) -> Iterator[Leaf]:
    return (one for one in walk(node) if isinstance(one, Leaf))


def walk(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node, Group):
        for part in node.parts:
            yield from walk(part)


class _Reader:
    def __init__(self) -> None:
        self._nodes = 0

    def read(self, data: object, pointer: str, depth: int) -> Node:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise Problem(Code.OUT_OF_RANGE, f"At most {MOST_NODES} rules.", pointer=pointer)
        if depth > MOST_DEPTH:
            raise Problem(Code.TOO_DEEP, f"Rules are nested at most {MOST_DEPTH} deep.", pointer=pointer)
        if not isinstance(data, Mapping):
            raise Problem(Code.WRONG_TYPE, "A rule is an object.", pointer=pointer)
        kind = _kind(data, pointer)
        below = f"{pointer}/{kind}"
        if kind in GROUPS:
            return Group(kind, self._parts(data[kind], below, depth))
        match kind:
            case "field":
                return _leaf(data, pointer)
            case "everyone":
                if data[kind] is not True:
                    raise Problem(Code.INVALID_SEGMENT_RULE, 'Everybody is `{"everyone": true}`.', pointer=below)
                return Everyone()
            case "users":
                return Users(_user_ids(data[kind], below))
        return Named(_text(data[kind], below), kind == "list", below)

    def _parts(self, parts: object, pointer: str, depth: int) -> tuple[Node, ...]:
        if not isinstance(parts, list):
            raise Problem(Code.WRONG_TYPE, "A group is a list of rules.", pointer=pointer)
        if not parts:
            said = 'A group needs at least one rule; everybody is `{"everyone": true}`.'
            raise Problem(Code.INVALID_SEGMENT_RULE, said, pointer=pointer)
        return tuple(self.read(part, f"{pointer}/{place}", depth + 1) for place, part in enumerate(parts))


def _kind(data: Mapping[Any, Any], pointer: str) -> str:
    found = [kind for kind in KINDS if kind in data]
    allowed = {"field", "op", "value"} if found == ["field"] else set(found)
    if len(found) != 1:
        said = f"A rule has exactly one of {', '.join(f'`{kind}`' for kind in KINDS)}."
        raise Problem(Code.INVALID_SEGMENT_RULE, said, pointer=pointer)
    if unknown := sorted(str(name) for name in data if name not in allowed):
        shown = unknown[0].replace("~", "~0").replace("/", "~1")
        raise Problem(Code.UNKNOWN_FIELD, f"`{unknown[0]}` is not part of such a rule.", pointer=f"{pointer}/{shown}")
    return found[0]


def _leaf(data: Mapping[Any, Any], pointer: str) -> Leaf:
    name = _text(data["field"], f"{pointer}/field")
    found = fields.find(name)
    if found is None:
        raise Problem(Code.UNKNOWN_RULE_FIELD, f"There is no field `{name}`.{_meant(name)}", pointer=f"{pointer}/field")
    field, path = found
    if "op" not in data:
        raise Problem(Code.MISSING_FIELD, "`op` is required.", pointer=f"{pointer}/op")
    op = _text(data["op"], f"{pointer}/op")
    if op not in field.ops:
        raise Problem(
            Code.INVALID_SEGMENT_RULE, f"`{name}` can be asked: {', '.join(field.ops)}.", pointer=f"{pointer}/op"
        )
    kind = field.ops[op]
    if kind is fields.Kind.NOTHING:
        if "value" in data:
            raise Problem(Code.INVALID_SEGMENT_RULE, f"`{op}` takes no value.", pointer=f"{pointer}/value")
        return Leaf(field, path, op, None, pointer)
    if "value" not in data:
        raise Problem(Code.MISSING_FIELD, f"`{op}` needs a value: {kind.sentence}", pointer=f"{pointer}/value")
    return Leaf(field, path, op, fields.checked(field, op, data["value"], f"{pointer}/value"), pointer)


def _meant(name: str) -> str:
    near = fields.nearest(name)
    return f" Did you mean `{near}`?" if near else ""


def _user_ids(values: object, pointer: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not values:
        raise Problem(Code.WRONG_TYPE, "`users` is a list of at least one user_id.", pointer=pointer)
    if len(values) > MOST_USERS:
        raise Problem(
            Code.OUT_OF_RANGE, f"At most {MOST_USERS:,} people by name; use a list for more.", pointer=pointer
        )
    return tuple(_text(value, f"{pointer}/{place}") for place, value in enumerate(values))


def _text(value: object, pointer: str) -> str:
    if not isinstance(value, str):
        raise Problem(Code.WRONG_TYPE, f"Expected a text, got {json.dumps(value, default=str)[:40]}.", pointer=pointer)
    if "\x00" in value:
        raise Problem(Code.NUL_BYTE, pointer=pointer)
    if not 1 <= len(value) <= LONGEST_NAME:
        raise Problem(Code.OUT_OF_RANGE, f"From 1 to {LONGEST_NAME} characters.", pointer=pointer)
    return value
