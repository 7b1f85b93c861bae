"""Rules as one SQL condition. No text of anybody's is in it: every value is a parameter, every name comes from the whitelist."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

from apps.audience.segments import rules as tree
from apps.audience.segments import stored
from apps.audience.segments.fields import Asked
from apps.audience.segments.stored import SegmentRow
from apps.core.problem_codes import Code
from apps.core.problems import Problem

MOST_REFERENCES = 10
MOST_NODES = 1_000


@dataclass(frozen=True, slots=True)
class Condition:
    """`sql`: true or false for alias `r`, a row of audience_recipient of the tenant that it was made for; whoever asks names that tenant
    as well. Parameters are named after their values, so those of two conditions go into one mapping."""

    sql: str
    parameters: Mapping[str, Any]


EVERYBODY = Condition("TRUE", {})


def condition_of(
    tenant_id: UUID, rules: object, now: datetime, *, pointer: str = "", within: UUID | None = None
) -> Condition:
    """`rules`: the JSON tree. One query for each depth of segments that it names. `within`: the segment whose rules they are to be.

    Raises Problem: those of `rules.parse`, and unknown_segment, segment_archived, segment_cycle, out_of_range.
    """
    return compiled(tenant_id, tree.parse(rules, pointer), now, within=within)


def compiled(tenant_id: UUID, node: tree.Node, now: datetime, *, within: UUID | None = None) -> Condition:
    writer = _Writer(tenant_id, now, _references(tenant_id, node))
    return Condition(writer.write(node, () if within is None else (within,)), writer.parameters)


def both(first: Condition, second: Condition) -> Condition:
    return Condition(f"({first.sql} AND {second.sql})", {**first.parameters, **second.parameters})


def without(first: Condition, second: Condition) -> Condition:
    """In the first, and not in the second."""
    return Condition(f"({first.sql} AND NOT {second.sql})", {**first.parameters, **second.parameters})


@dataclass
class _Writer:
    tenant_id: UUID
    now: datetime
    segments: Mapping[str, SegmentRow]
    parameters: dict[str, Any] = field(default_factory=dict)
    _written: int = 0

    def write(self, node: tree.Node, inside: tuple[UUID, ...]) -> str:
        """`inside`: the segments whose rules are being written, outermost first."""
        self._written += 1
        if self._written > MOST_NODES:
            raise Problem(Code.OUT_OF_RANGE, f"With all segments that it names it has more than {MOST_NODES:,} rules.")
        match node:
            case tree.Everyone():
                return "TRUE"
            case tree.Users():
                return f"r.user_id = ANY({self.put(list(node.user_ids), 'text[]')})"
            case tree.Group():
                parts = [self.write(part, inside) for part in sorted(node.parts, key=_weight)]
                joined = (" AND " if node.word == "all" else " OR ").join(parts)
                return f"NOT ({joined})" if node.word == "none" else f"({joined})"
            case tree.Leaf():
                asked = Asked(self.tenant_id, node.path, node.op, node.value, self.now, self.put)
                return f"({node.field.write(asked)})"
        return self._other(node, inside)

    def put(self, value: Any, type_: str) -> str:
        name = "v" + blake2b(f"{type_} {value!r}".encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()
        self.parameters[name] = value
        return f"%({name})s::{type_}"

    def _other(self, node: tree.Named, inside: tuple[UUID, ...]) -> str:
        row = self.segments[node.name]
        if row.is_list:
            return (
                f"EXISTS (SELECT FROM audience_segmentmember m WHERE m.tenant_id = {self.put(self.tenant_id, 'uuid')}"
                f" AND m.segment_id = {self.put(row.id, 'uuid')} AND m.recipient_id = r.id)"
            )
        if row.id in inside:
            raise Problem(Code.SEGMENT_CYCLE, f"The segment `{row.key}` is made of itself.", pointer=node.pointer)
        if len(inside) >= MOST_REFERENCES:
            said = f"Segments are made of segments at most {MOST_REFERENCES} deep."
            raise Problem(Code.TOO_DEEP, said, pointer=node.pointer)
        try:
            return self.write(tree.parse(row.rules), (*inside, row.id))
        except Problem as problem:
            if problem.code is Code.SEGMENT_CYCLE:
                raise Problem(problem.code, problem.detail, pointer=node.pointer) from None
            said = f"In the segment `{row.key}`: {problem.detail}"
            raise Problem(problem.code, said, pointer=node.pointer) from None


def _weight(node: tree.Node) -> int:
    """What is cheap to look at comes first: PostgreSQL keeps the order of what it takes for equally costly."""
    match node:
        case tree.Leaf():
            return node.field.weight
        case tree.Everyone() | tree.Users():
            return 0
    return 2


def _references(tenant_id: UUID, node: tree.Node) -> dict[str, SegmentRow]:
    """Every segment that it names, and those that they name, by the name that is used. Raises Problem where one is of no use."""
    found: dict[str, SegmentRow] = {}
    wanted = list(tree.named(node))
    for _ in range(MOST_REFERENCES + 2):
        names = {one.name for one in wanted} - found.keys()
        rows = stored.by_names(tenant_id, names) if names else {}
        found |= rows
        following: list[tree.Named] = []
        for one in wanted:
            row = found.get(one.name)
            _refuse_useless(one, row)
            if row is not None and one.name in rows and not row.is_list:
                following += _named_in(row, one.pointer)
        if not following:
            break
        wanted = following
    return found


def _named_in(row: SegmentRow, pointer: str) -> list[tree.Named]:
    """What its rules name. `pointer`: where the tree that was asked about leads to it."""
    return [tree.Named(name, is_list, pointer) for name, is_list in tree.named_in(row.rules)]


def _refuse_useless(one: tree.Named, row: SegmentRow | None) -> None:
    kind = "list" if one.is_list else "segment"
    if row is None:
        raise Problem(Code.UNKNOWN_SEGMENT, f"There is no {kind} `{one.name}`.", pointer=one.pointer)
    if one.is_list and not row.is_list:
        raise Problem(Code.UNKNOWN_SEGMENT, f"`{one.name}` is no list; name it as a segment.", pointer=one.pointer)
    if row.archived_at is not None:
        raise Problem(Code.SEGMENT_ARCHIVED, f"The {kind} `{row.key}` was archived.", pointer=one.pointer)
