"""The balance of three books: what callers were told (P), what the provider got (A), what the ledger says (D)."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from apps.channels.sandbox.record import Line, read
from apps.core import ids
from tests.faults.producer import CHANNELS, Producer
from tests.faults.system import System

# without receipts `sent` is the last word on a provider's channel
_DONE = {"sent", "delivered", "failed", "unknown", "skipped", "expired", "cancelled"}


@dataclass(frozen=True)
class Balance:
    """`lost`: accepted but not in the ledger, or without a final status. `doubled`: more than one taken message per delivery, or more
    than two of one that was knowingly sent once more (`resent`)."""

    accepted: int
    deliveries: int
    statuses: dict[str, int]
    taken: int
    lost: int
    uninvited: int
    doubled: int
    resent: int
    unrecorded: int
    unaccounted: int
    left: int

    def as_figures(self) -> dict[str, object]:
        return {**self.__dict__}

    def mistakes(self) -> dict[str, int]:
        names = ("lost", "uninvited", "doubled", "unrecorded", "unaccounted", "left")
        return {name: value for name in names if (value := getattr(self, name))}


# what is in doubt may wait for a receipt for a quarter of an hour: that is no unfinished work
_LEFT = """SELECT count(*) FROM ledger_work_item w JOIN ledger_notification n ON n.id = w.notification_id
    WHERE n.object_id = %(run)s AND NOT (w.kind = 'doubt' AND w.due_at > now() + interval '1 minute')"""


def is_settled(system: System, run: str) -> bool:
    """Nothing of this run is left to do."""
    return system.query(_LEFT, {"run": run}) == [(0,)]


def balance(system: System, producer: Producer, *, channels: Collection[str] = CHANNELS) -> Balance:
    """`channels`: what each accepted notification must have exactly one delivery of."""
    told = {_uuid(ids.NOTIFICATION, shown) for shown in producer.book.ids}
    run = {"run": producer.run}
    kept = {id_ for (id_,) in system.query("SELECT id FROM ledger_notification WHERE object_id = %(run)s", run)}
    rows = system.query(
        """SELECT d.id, d.notification_id, d.channel, d.status FROM ledger_delivery d
        JOIN ledger_notification n ON n.id = d.notification_id WHERE n.object_id = %(run)s""",
        run,
    )
    made = Counter((notification, channel) for _, notification, channel, _ in rows)
    lines = _lines(system.record, {id_ for id_, *_ in rows})
    taken = Counter(line.delivery for line in lines if line.taken)
    lost = sum((id_, channel) not in made for id_ in told for channel in channels)
    lost += sum(status not in _DONE for *_, status in rows)
    uninvited = len(kept - told) + sum(number > 1 for number in made.values())
    resent = _resent(system, run)
    doubled = sum(number > 1 + (delivery in resent) for delivery, number in taken.items()) + _doubled_items(system, run)
    shown = {ids.show(ids.DELIVERY, id_): (channel, status) for id_, _, channel, status in rows}
    unrecorded = sum(
        not 1 <= taken[delivery] <= 1 + (delivery in resent)
        for delivery, (channel, status) in shown.items()
        if channel != "in_app" and status in {"sent", "delivered"}
    )
    unaccounted = sum(
        1 for line in lines if line.taken and shown[line.delivery][1] not in {"sent", "delivered", "unknown"}
    )
    left = system.query(_LEFT, run)[0][0]
    strangers = {line.delivery for line in read(system.record)} - _known(system)
    return Balance(
        accepted=len(told),
        deliveries=len(rows),
        statuses=dict(Counter(status for *_, status in rows)),
        taken=len([line for line in lines if line.taken]),
        lost=lost,
        uninvited=uninvited,
        doubled=doubled,
        resent=len(resent),
        unrecorded=unrecorded,
        unaccounted=unaccounted + len(strangers),
        left=left,
    )


def _lines(record: Path, deliveries: set[UUID]) -> list[Line]:
    shown = {ids.show(ids.DELIVERY, id_) for id_ in deliveries}
    return [line for line in read(record) if line.delivery in shown]


def _known(system: System) -> set[str]:
    return {ids.show(ids.DELIVERY, id_) for (id_,) in system.query("SELECT id FROM ledger_delivery")}


def _resent(system: System, run: dict[str, str]) -> set[str]:
    """Deliveries that the ledger says were sent once more because their fate was not known."""
    rows = system.query(
        """SELECT e.delivery_id FROM ledger_delivery_event e JOIN ledger_notification n ON n.id = e.notification_id
        WHERE n.object_id = %(run)s AND e.kind = 'resent'""",
        run,
    )
    return {ids.show(ids.DELIVERY, id_) for (id_,) in rows}


def _doubled_items(system: System, run: dict[str, str]) -> int:
    """In-app deliveries that are delivered without exactly one feed item, and feed items without their delivery."""
    rows = system.query(
        """SELECT count(*) FROM ledger_delivery d JOIN ledger_notification n ON n.id = d.notification_id
        LEFT JOIN inbox_inboxitem i ON i.id = d.id
        WHERE n.object_id = %(run)s AND d.channel = 'in_app' AND (d.status = 'delivered') <> (i.id IS NOT NULL)""",
        run,
    )
    items = system.query(
        """SELECT count(*) - count(DISTINCT i.id) FROM inbox_inboxitem i
        JOIN ledger_notification n ON n.id = i.notification_id WHERE n.object_id = %(run)s""",
        run,
    )
    return int(rows[0][0]) + int(items[0][0])


def _uuid(prefix: str, shown: str) -> UUID:
    found = ids.read(prefix, shown)
    assert found is not None
    return found
