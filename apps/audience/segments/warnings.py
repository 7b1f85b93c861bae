"""What is allowed and is probably not meant: attributes that nobody has."""

from collections.abc import Iterator
from uuid import UUID

from apps.audience.segments.asking import TookTooLong, ask, ask_within
from apps.audience.segments.rules import Leaf, Node, leaves

WITHIN_MS = 400
SAMPLED = 2_000
FAMILY = "attributes."


def warnings_of(tenant_id: UUID, node: Node) -> tuple[tuple[str, str], ...]:
    """(pointer, sentence) of each; what could not be found out in WITHIN_MS is not warned of. One query for each attribute."""
    return tuple(_each(tenant_id, node))


def attributes_of(tenant_id: UUID) -> tuple[tuple[str, str], ...]:
    """(name, type) of the attributes of the newest SAMPLED people, the most frequent first; the type is that of JSON."""
    rows = ask(
        """SELECT e.key, mode() WITHIN GROUP (ORDER BY jsonb_typeof(e.value)) FROM (
            SELECT r.attributes FROM audience_recipient r WHERE r.tenant_id = %(tenant)s ORDER BY r.id DESC LIMIT %(most)s) newest,
            jsonb_each(CASE WHEN jsonb_typeof(newest.attributes) = 'object' THEN newest.attributes ELSE '{}' END) e
        WHERE jsonb_typeof(e.value) <> 'null' GROUP BY e.key ORDER BY count(*) DESC, e.key LIMIT 100""",
        {"tenant": tenant_id, "most": SAMPLED},
    )
    return tuple((name, kind) for name, kind in rows)


def _each(tenant_id: UUID, node: Node) -> Iterator[tuple[str, str]]:
    known: dict[str, bool] = {}
    for leaf in leaves(node):
        if leaf.field.key == FAMILY and leaf.op != "missing":
            if leaf.path not in known:
                known[leaf.path] = _somebody_has(tenant_id, leaf)
            if not known[leaf.path]:
                yield f"{leaf.pointer}/field", f"Nobody has the attribute `{leaf.path}`."


def _somebody_has(tenant_id: UUID, leaf: Leaf) -> bool:
    sql = """SELECT EXISTS (SELECT FROM audience_recipient r
        WHERE r.tenant_id = %(tenant)s AND r.attributes #>> %(path)s::text[] IS NOT NULL)"""
    try:
        return bool(ask_within(sql, {"tenant": tenant_id, "path": leaf.path.split(".")}, WITHIN_MS)[0][0])
    except TookTooLong:
        return True
