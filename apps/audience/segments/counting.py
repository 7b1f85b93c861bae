"""How many people a condition describes: exactly, or about, when that would take too long."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.audience.segments.asking import TookTooLong, ask, ask_within
from apps.audience.segments.compiling import Condition

SAMPLED = 20_000
WITHIN_MS = 1_500


@dataclass(frozen=True, slots=True)
class Count:
    """`is_exact`: as of that moment; otherwise two digits of it mean something."""

    number: int
    is_exact: bool

    @property
    def text(self) -> str:
        return f"{self.number:,}" if self.is_exact else f"about {self.number:,}"


def count(tenant_id: UUID, condition: Condition, *, within_ms: int = WITHIN_MS) -> Count:
    """Asks for the exact number for that long; then for a sample of the pages of the table for as long again; then the planner."""
    sql = f"SELECT count(*) FROM audience_recipient r WHERE r.tenant_id = %(tenant)s AND {condition.sql}"
    parameters = {"tenant": tenant_id, **condition.parameters}
    try:
        return Count(ask_within(sql, parameters, within_ms)[0][0], True)
    except TookTooLong:
        return Count(rounded(_about(condition, parameters, within_ms)), False)


def _about(condition: Condition, parameters: dict[str, Any], within_ms: int) -> float:
    rows, of_table = 0, _rows_of_table()
    share = min(100.0, 100.0 * SAMPLED / max(1.0, of_table))
    sql = f"""SELECT count(*), count(*) FILTER (WHERE r.tenant_id = %(tenant)s AND {condition.sql})
        FROM audience_recipient r TABLESAMPLE SYSTEM (%(share)s)"""
    try:
        rows, matching = ask_within(sql, {**parameters, "share": share}, within_ms)[0]
    except TookTooLong:
        matching = 0
    return matching * of_table / rows if rows else _planned(condition, parameters)


def _rows_of_table() -> float:
    """As the last ANALYZE counted them."""
    return float(
        ask("SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = 'audience_recipient'::regclass", {})[0][0]
    )


def _planned(condition: Condition, parameters: dict[str, Any]) -> float:
    sql = f"EXPLAIN (FORMAT JSON) SELECT FROM audience_recipient r WHERE r.tenant_id = %(tenant)s AND {condition.sql}"
    plan = ask(sql, parameters)[0][0]
    return float((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Plan Rows"])


def rounded(number: float) -> int:
    """Two digits: 12,345 is 12,000."""
    whole = round(number)
    size: int = 10 ** max(0, len(str(whole)) - 2)
    return round(whole / size) * size
