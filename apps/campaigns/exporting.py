"""A run as CSV: a line for each message, made while it is sent, in pages of the primary key: memory stays flat, and no statement and no
transaction stays open however slowly somebody reads."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from apps.campaigns.meeting import Person, people
from apps.core import ids
from apps.core.spreadsheets import BOM, lines
from apps.ledger.run_results import everybody

SIZE = 2_000
COLUMNS = (
    *("user_id", "address", "channel", "variant", "status", "reason", "account", "place", "decided_at", "sent_at"),
    *("delivered_at", "opened_at", "clicked_at", "unsubscribed_at", "complained_at", "notification"),
)


def lines_of(run: Any, *, is_masked: bool) -> Iterator[bytes]:
    """Three queries for each SIZE messages. Times in UTC, RFC 3339."""
    names = {one["position"]: one["name"] for one in run.definition.get("variants", [])}
    yield BOM + lines([COLUMNS])
    for page in everybody(tenant_id=run.tenant_id, stamp=run.stamp, size=SIZE):
        found = people(run.tenant_id, page, is_masked=is_masked)
        yield lines(_cells(one, names) for one in found)


def file_name(run: Any) -> str:
    return f"{ids.show(ids.CAMPAIGN_RUN, run.id)}.csv"


def _cells(one: Person, names: dict[int, str]) -> tuple[str, ...]:
    met = one.met
    return (
        one.user_id,
        one.address,
        met.channel.value,
        names.get(met.variant, str(met.variant)),
        met.status.value,
        met.reason,
        met.account,
        met.place,
        *map(_time, (met.at, met.sent_at, met.delivered_at, met.opened_at, met.clicked_at)),
        *map(_time, (met.unsubscribed_at, met.complained_at)),
        one.story,
    )


def _time(at: datetime | None) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else ""
