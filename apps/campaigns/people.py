"""Whom an audience describes now: the condition, clocks, languages, and who lacks what a text names. Every question is bounded in time."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.audience.segments.asking import TookTooLong, ask_within
from apps.audience.segments.compiling import Condition, both, condition_of, without
from apps.audience.segments.counting import Count, count

WITHIN_MS = 5_000
_BY = """
SELECT r.{column}, count(*) FROM audience_recipient r WHERE r.tenant_id = %(tenant)s AND {condition} GROUP BY r.{column}
"""


def condition_of_audience(tenant_id: UUID, audience: Mapping[str, Any], now: datetime) -> Condition | None:
    """None: nobody was chosen yet. Raises Problem: what it names is gone."""
    if not audience.get("include"):
        return None
    found = condition_of(tenant_id, audience["include"], now)
    if audience.get("exclude"):
        found = without(found, condition_of(tenant_id, audience["exclude"], now))
    return found


def zones(tenant_id: UUID, condition: Condition) -> dict[str, int] | None:
    """People by what they say of their time zone, "" for nothing; None: it took too long."""
    return _by("timezone", tenant_id, condition)


def locales(tenant_id: UUID, condition: Condition) -> dict[str, int] | None:
    """People by locale, "" for none; None: it took too long."""
    return _by("locale", tenant_id, condition)


def lacking(tenant_id: UUID, condition: Condition, attributes: Iterable[str], now: datetime) -> dict[str, Count]:
    """How many have no such attribute, by its name; those that everybody has are left out. A question for each."""
    found = {}
    for name in attributes:
        missing = condition_of(tenant_id, {"none": [{"field": f"attributes.{name}", "op": "exists"}]}, now)
        counted = count(tenant_id, both(condition, missing))
        if counted.number:
            found[name] = counted
    return found


def _by(column: str, tenant_id: UUID, condition: Condition) -> dict[str, int] | None:
    sql = _BY.format(column=column, condition=condition.sql)
    try:
        return dict(ask_within(sql, {"tenant": tenant_id, **condition.parameters}, WITHIN_MS))
    except TookTooLong:
        return None
