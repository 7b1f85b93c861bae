"""Rosa wants her digest at another hour, or none: what waits for it comes when she wants it now."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.core.enums import DigestFrequency
from apps.core.types import DigestTime, OwnQuietHours, Switch
from apps.ledger.balance import troubles
from apps.ledger.models import Bundle, Delivery, WorkItem
from tests.integration.bundles_cast import flush, like, liked, summaries, told
from tests.integration.dispatch_cast import Carrier, left, notify, route, send, states
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.new_times_cast import NOON, At, change, dues, move_to, on, sleeper
from tests.integration.new_times_cast import at as at
from tests.integration.new_times_cast import rosa as rosa

pytestmark = pytest.mark.django_db
DAILY, WEEKLY = DigestFrequency.DAILY, DigestFrequency.WEEKLY
Captured = Any


def daily(rosa: UUID, hour: int = 18) -> Bundle:
    """Two that wait since ten for six in the evening; it is noon."""
    change(rosa, digest_time=DigestTime(hour, 0), quiet_hours=OwnQuietHours(()), **on("*", DAILY))
    notify([rosa], event_type="order.shipped", content={"title": "Shipped", "body": "b"})
    notify([rosa], event_type="news.weekly", content={"title": "News", "body": "b"})
    route()
    Bundle.objects.all_tenants().update(opened_at=NOON - timedelta(hours=2))
    return Bundle.objects.all_tenants().get(recipient_id=rosa)


SOONER = [
    ("an earlier hour, gone by", {"digest_time": DigestTime(11, 0)}, True),
    ("an earlier hour, to come", {"digest_time": DigestTime(14, 0)}, NOON + timedelta(hours=2)),
    ("a later hour", {"digest_time": DigestTime(20, 0)}, NOON + timedelta(hours=8)),
    ("no digest any more", on("*"), True),
    ("off", {"switches": (Switch("*", "email", False),)}, NOON + timedelta(hours=6)),
    (
        "weekly",
        {**on("*", WEEKLY), "digest_time": DigestTime(18, (NOON.weekday() + 2) % 7)},
        NOON + timedelta(days=2, hours=6),
    ),
]


@pytest.mark.parametrize(("_name", "fields", "until"), SOONER, ids=[row[0] for row in SOONER])
def test_a_digest_comes_when_it_is_wanted_now(
    rosa: UUID,
    at: At,
    rung: list[str],
    django_capture_on_commit_callbacks: Captured,
    _name: str,
    fields: dict[str, Any],
    until: datetime | bool,
) -> None:
    at(NOON)
    bundle = daily(rosa)
    assert (bundle.flush_at, flush("transactional")) == (NOON + timedelta(hours=6), 0)
    rung.clear()
    with django_capture_on_commit_callbacks(execute=True):
        change(rosa, **fields)
    is_looked_at = _name != "off"
    assert rung == ["route.transactional"] * is_looked_at
    assert flush("transactional") == is_looked_at
    bundle.refresh_from_db()
    if until is True:
        assert states() == [("email", "merged", "in_digest")] * 2
        assert (bundle.closed_at is not None, told().total, left()) == (True, 2, [("route.transactional", 0)])
        return
    assert (states(), summaries()) == ([("email", "held", "in_digest")] * 2, [])
    assert (bundle.closed_at, bundle.flush_at, dues()[bundle.id]) == (None, until, until)


def test_only_what_is_no_longer_wanted_in_it_leaves_a_digest(rosa: UUID, at: At, carrier: Carrier) -> None:
    at(NOON)
    bundle = daily(rosa)
    change(rosa, **on("order.shipped"))
    assert flush("transactional") == 1
    bundle.refresh_from_db()
    assert (bundle.closed_at, bundle.flush_at) == (None, NOON + timedelta(hours=6))
    assert states() == [("email", "held", "in_digest"), ("email", "merged", "in_digest")]
    assert [i.event_type for i in told().items] == ["order.shipped"]
    route()
    assert (send(), len(carrier.calls)) == (1, 1)

    at(NOON + timedelta(hours=6))
    WorkItem.objects.all_tenants().update(due_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert flush("transactional") == 1
    bundle.refresh_from_db()
    first, last = summaries()
    assert troubles(now=NOON + timedelta(days=1)) == []
    assert (bundle.closed_at is not None, bundle.summary_id) == (True, last.id)
    merged = Delivery.objects.all_tenants().filter(status="merged")
    assert set(merged.values_list("merged_into", flat=True)) == {first.id, last.id}


def test_what_was_switched_off_waits_in_its_digest_for_second_thoughts(rosa: UUID, at: At) -> None:
    at(NOON)
    bundle = daily(rosa)
    change(rosa, switches=(Switch("news.*", "email", False),), digest_time=DigestTime(17, 0))
    assert flush("transactional") == 1
    bundle.refresh_from_db()
    assert (states(), bundle.flush_at) == ([("email", "held", "in_digest")] * 2, NOON + timedelta(hours=5))


def test_nobody_elses_digest_is_looked_at_nor_a_group(rosa: UUID, at: At) -> None:
    at(NOON)
    others = [sleeper("otto"), sleeper("rosa", "globex")]
    for who, slug in zip(others, ("acme", "globex"), strict=True):
        change(who, slug, quiet_hours=OwnQuietHours(()), **on("*", DAILY))
        notify([who], slug=slug)
    bundle = daily(rosa)
    like()
    change(rosa, **on("post.*"))
    liked(rosa)
    route("social")
    assert flush("transactional") == 1
    before = dues()
    assert sorted(Bundle.objects.all_tenants().values_list("kind", flat=True)) == ["digest"] * 3 + ["group"]
    change(rosa, digest_time=DigestTime(11, 0))
    after = dues()
    assert after.pop(bundle.id) < datetime.now(UTC) + timedelta(seconds=5) < before.pop(bundle.id)
    assert (after, len(after)) == (before, 3)


def test_another_clock_moves_a_digest(rosa: UUID, at: At) -> None:
    at(NOON)
    bundle = daily(rosa)
    move_to("Europe/Berlin")
    assert flush("transactional") == 1
    bundle.refresh_from_db()
    assert (bundle.closed_at, bundle.flush_at) == (None, NOON + timedelta(hours=5))
