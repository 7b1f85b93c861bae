"""The people of a condition, a page after the other: memory stays flat however many they are."""

from typing import Any
from uuid import UUID

from apps.audience.segments.asking import ask
from apps.audience.segments.compiling import Condition


def page_of(
    tenant_id: UUID,
    condition: Condition,
    *,
    after: UUID | None = None,
    upto: UUID | None = None,
    size: int,
    extra: Condition | None = None,
) -> list[UUID]:
    """Ids in their order, at most `size`; fewer: there are no more. `after` is left out, `upto` is not. `extra`: has to hold as well."""
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "size": size,
        "after": after,
        "upto": upto,
        **condition.parameters,
    }
    clauses = ["r.tenant_id = %(tenant)s", condition.sql]
    if extra is not None:
        clauses.append(extra.sql)
        parameters |= extra.parameters
    if after is not None:
        clauses.append("r.id > %(after)s")
    if upto is not None:
        clauses.append("r.id <= %(upto)s")
    where = " AND ".join(clauses)
    rows = ask(f"SELECT r.id FROM audience_recipient r WHERE {where} ORDER BY r.id LIMIT %(size)s", parameters)
    return [id_ for (id_,) in rows]


def last_id(tenant_id: UUID) -> UUID | None:
    """Of the newest person."""
    rows = ask(
        "SELECT r.id FROM audience_recipient r WHERE r.tenant_id = %(tenant)s ORDER BY r.id DESC LIMIT 1",
        {"tenant": tenant_id},
    )
    return rows[0][0] if rows else None


def has(tenant_id: UUID, condition: Condition, recipient_id: UUID) -> bool:
    """Whether the person is one of them."""
    sql = f"SELECT FROM audience_recipient r WHERE r.id = %(id)s AND r.tenant_id = %(tenant)s AND {condition.sql}"
    return bool(ask(sql, {"id": recipient_id, "tenant": tenant_id, **condition.parameters}))
