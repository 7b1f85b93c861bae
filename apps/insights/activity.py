"""Who was sent, got, opened and clicked something last, per channel: kept from what the ledger says, for rules of segments.

Worked off a stretch of time after the other, each in a transaction with the mark up to where; a stretch that comes twice changes nothing.
What is sent is not slowed down for it: it is read afterwards. So it is behind by a minute or two.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from apps.audience.segments.fields import Asked, Field, Kind, one_of, register
from apps.audience.segments.person_fields import since
from apps.core.enums import Channel
from apps.core.rows import execute, fetch
from apps.insights.models import Activity, Mark
from apps.ledger import lately

MARK = "activity"
STRETCH = timedelta(minutes=5)
# an attempt's id is that of its beginning; its end is written within the longest time-out and the lease of a dead worker
LATE = timedelta(minutes=10)
FIRST = timedelta(days=90)
MOST_STRETCHES = 200
ANY = "any"
WHAT = {"sent": "Was sent", "delivered": "Got", "opened": "Opened", "clicked": "Clicked"}

_WRITE = """
INSERT INTO insights_activity AS a (tenant_id, recipient_id, channel, sent_at, delivered_at, opened_at, clicked_at)
SELECT m.* FROM ({moments}) m JOIN audience_recipient r ON r.id = m.recipient_id AND r.tenant_id = m.tenant_id
ORDER BY m.recipient_id, m.channel
ON CONFLICT (recipient_id, channel) DO UPDATE SET
    sent_at = greatest(a.sent_at, excluded.sent_at), delivered_at = greatest(a.delivered_at, excluded.delivered_at),
    opened_at = greatest(a.opened_at, excluded.opened_at), clicked_at = greatest(a.clicked_at, excluded.clicked_at)
WHERE excluded.sent_at > a.sent_at OR excluded.delivered_at > a.delivered_at OR excluded.opened_at > a.opened_at
    OR excluded.clicked_at > a.clicked_at OR (a.sent_at IS NULL AND excluded.sent_at IS NOT NULL)
    OR (a.delivered_at IS NULL AND excluded.delivered_at IS NOT NULL)
    OR (a.opened_at IS NULL AND excluded.opened_at IS NOT NULL) OR (a.clicked_at IS NULL AND excluded.clicked_at IS NOT NULL)
"""


def follow(now: datetime) -> int:
    """From LATE before the mark up to now; how many rows it wrote. Two at once: the second one waits, and finds less to do. Stops after
    MOST_STRETCHES; the next call goes on."""
    written = 0
    for _ in range(MOST_STRETCHES):
        with transaction.atomic():
            mark = _mark(now)
            begin, end = mark - LATE, min(mark + STRETCH, now)
            written += _write(lately.touched(begin, end))
            Mark.objects.all_tenants().filter(name=MARK).update(at=end)
        if end >= now:
            break
    return written


def sweep(now: datetime, back: timedelta = timedelta(hours=3)) -> int:
    """What was sent since then, whenever it was made: also what waited in a feed, which leaves no attempt. How many rows it wrote."""
    return _write(lately.sent(now - back, now))


def rebuild(now: datetime, *, days: int = FIRST.days) -> int:
    """Forgets everything and reads that many days anew. How many rows there are then."""
    with transaction.atomic():
        _mark(now)
        Activity.objects.all_tenants().delete()
        for day in range(days, 0, -1):
            _write(lately.sent(now - timedelta(days=day), now - timedelta(days=day - 1)))
        Mark.objects.all_tenants().filter(name=MARK).update(at=now)
        return int(Activity.objects.all_tenants().count())


def forget_person(tenant_id: UUID, recipient_id: UUID) -> None:
    Activity.objects.of(tenant_id).filter(recipient_id=recipient_id).delete()


def _mark(now: datetime) -> datetime:
    """Locked until the transaction ends."""
    execute(
        "INSERT INTO insights_mark (name, at) VALUES (%(name)s, %(at)s) ON CONFLICT DO NOTHING",
        {"name": MARK, "at": now - STRETCH},
    )
    at: datetime = fetch("SELECT at FROM insights_mark WHERE name = %(name)s FOR UPDATE", {"name": MARK})[0][0]
    return at


def _write(moments: lately.Moments) -> int:
    return execute(_WRITE.format(moments=moments.sql), moments.parameters)


def _asked(what: str) -> Field:
    return Field(
        key=f"activity.{what}.",
        label=WHAT[what],
        ops={
            "in_last_days": Kind.DAYS,
            "not_in_last_days": Kind.DAYS,
            "before": Kind.DATE,
            "after": Kind.DATE,
            "ever": Kind.NOTHING,
            "never": Kind.NOTHING,
        },
        write=lambda asked: _sql(what, asked),
        has_path=one_of((ANY, *Channel)),
        paths=(ANY, *(channel.value for channel in Channel)),
        group="Activity",
        weight=2,
    )


def _sql(what: str, asked: Asked) -> str:
    """`before` a day: the last time was before it. `not_in_last_days` holds for those, too, who never did."""
    column = f"a.{what}_at"
    on = "" if asked.path == ANY else f" AND a.channel = {asked.put(asked.path, 'text')}"
    some = (
        f"EXISTS (SELECT FROM insights_activity a WHERE a.tenant_id = {asked.tenant} AND a.recipient_id = r.id{on} AND "
    )
    match asked.op:
        case "ever":
            return f"{some}{column} IS NOT NULL)"
        case "never":
            return f"NOT {some}{column} IS NOT NULL)"
        case "before":
            earlier = f"{column} IS NOT NULL AND {since(column, asked)}"
            if asked.path != ANY:
                return f"{some}{earlier})"
            return f"{some}{earlier}) AND NOT {some}{column} IS NOT NULL AND NOT {since(column, asked)})"
        case "not_in_last_days":
            recent = Asked(asked.tenant_id, asked.path, "in_last_days", asked.value, asked.now, asked.put)
            return f"NOT {some}{since(column, recent)})"
    return f"{some}{since(column, asked)})"


def register_fields() -> None:
    register(*(_asked(what) for what in WHAT))
