"""Monthly partitions: made ahead, found by id, dropped when all in them is old. And what keeps updates cheap."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from apps.core import clock, ids
from apps.ledger import caretaking, tasks
from apps.ledger.models import Delivery, Notification, SeenKey
from apps.ledger.partitions import TABLES, create_ahead, drop_expired, month_start, partition_name
from tests.integration.dispatch_cast import Carrier, notify, people, person, route, send, tenant
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung

pytestmark = pytest.mark.django_db
FAR = datetime(2031, 11, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "months", "start"),
    [
        (datetime(2026, 11, 30, 23, 59, 59, 999999, tzinfo=UTC), 0, datetime(2026, 11, 1, tzinfo=UTC)),
        (datetime(2026, 11, 1, tzinfo=UTC), 2, datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2027, 1, 31, tzinfo=UTC), -1, datetime(2026, 12, 1, tzinfo=UTC)),
        (datetime(2026, 12, 31, tzinfo=UTC), 12, datetime(2027, 12, 1, tzinfo=UTC)),
    ],
)
def test_a_month_begins_on_its_first(moment: datetime, months: int, start: datetime) -> None:
    assert month_start(moment, months) == start


def partitions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = ANY(%s::regclass[])", [list(TABLES)]
        )
        return {name for (name,) in cursor.fetchall()}


def test_they_are_made_from_last_month_to_three_ahead_and_only_once() -> None:
    expected = {
        f"{table}_{month}" for table in TABLES for month in ("y2031m10", "y2031m11", "y2031m12", "y2032m01", "y2032m02")
    }
    before = partitions()
    with connection.cursor() as cursor:
        assert set(create_ahead(cursor, FAR)) == expected
        assert create_ahead(cursor, FAR) == []
        cursor.execute("SELECT relname, reloptions FROM pg_class WHERE relname LIKE 'ledger%%y2031m11'")
        assert {name: options for name, options in cursor.fetchall() if "fillfactor=50" in options}.keys() == {
            "ledger_delivery_y2031m11",
        }
    assert partitions() - before == expected
    caretaking.keep_partitions(clock.now())
    tasks.keep_partitions()


@pytest.mark.parametrize("months", [-1, 0, 1, 2, 3])
def test_an_id_lands_in_its_month(months: int) -> None:
    with connection.cursor() as cursor:
        create_ahead(cursor, FAR)
        start, end = month_start(FAR, months), month_start(FAR, months + 1)
        for moment in (start, end - timedelta(milliseconds=1)):
            id_ = ids.derived(ids.bound(moment), "x")
            cursor.execute(
                """INSERT INTO ledger_delivery
                (id, notification_id, tenant_id, recipient_id, channel, category, mode, status)
                VALUES (%s, %s, %s, %s, 'email', 'social', 'test', 'queued') RETURNING tableoid::regclass::text""",
                [id_, id_, id_, id_],
            )
            assert cursor.fetchone() == (partition_name("ledger_delivery", start),)


@pytest.mark.parametrize(
    ("days_after", "is_dropped"), [(89, False), (90, False), (91, True)], ids=["young", "to the day", "old"]
)
def test_one_is_dropped_when_its_newest_is_past_the_retention(days_after: int, is_dropped: bool) -> None:
    now = datetime(2031, 12, 1, tzinfo=UTC) + timedelta(days=days_after)
    with connection.cursor() as cursor:
        create_ahead(cursor, FAR)
        dropped = drop_expired(cursor, now, 90)
    gone = {name for name in dropped if "y2031" in name or "y2032" in name}
    months = ("y2031m10", "y2031m11") if is_dropped else ("y2031m10",)
    assert gone == {f"{table}_{month}" for table in TABLES for month in months}
    assert not set(dropped) & partitions()
    assert {f"{table}_y2031m12" for table in TABLES} <= partitions()


def explain(query: Any) -> str:
    return json.dumps(json.loads(query.explain(format="json", analyze=True)))


def test_a_look_up_by_id_reads_one_partition() -> None:
    (n,) = notify([person()])
    month = partition_name("ledger_notification", month_start(clock.now()))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # what is read of a table of one row depends on its statistics
    found = explain(Notification.objects.of(tenant()).filter(id=n))
    assert found.count('"Relation Name"') == 1
    assert f'"Relation Name": "{month}"' in found
    assert "Seq Scan" not in found


def test_a_persons_list_is_read_by_its_index() -> None:
    crowd = people(300)
    for _ in range(3):
        notify(crowd)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE ledger_notification")
    found = explain(Notification.objects.of(tenant()).filter(recipient_id=crowd[7]).order_by("-id")[:50])
    assert f'"{partition_name("ledger_notification", month_start(clock.now()))}_recipient_id_id_idx"' in found


@pytest.mark.django_db(transaction=True)
def test_updates_of_deliveries_stay_on_their_page(carrier: Carrier, rung: list[str]) -> None:
    """HOT: no index entry is written when a delivery is sent."""
    hot_before, all_before = updates()
    notify(people(500))
    route()
    send()
    assert Delivery.objects.of(tenant()).filter(status="sent").count() == 500
    hot, every = updates()
    assert every - all_before == 500
    assert (hot - hot_before) / 500 > 0.9


def updates() -> tuple[int, int]:
    """HOT updates and all updates of deliveries so far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT 1")
        cursor.execute(
            """SELECT sum(n_tup_hot_upd)::int, sum(n_tup_upd)::int FROM pg_stat_user_tables
            WHERE relname LIKE 'ledger_delivery_y%%'"""
        )
        hot, every = cursor.fetchone()
    return hot, every


def test_keys_past_their_time_go_in_small_steps() -> None:
    now = clock.now()
    rows = [
        SeenKey(key=bytes([n]) * 32, ref_id=ids.new(), expires_at=now + timedelta(seconds=n - 7.5)) for n in range(12)
    ]
    SeenKey.objects.bulk_create(rows)
    assert caretaking.expire_seen_keys(batch=3) == 8
    assert SeenKey.objects.count() == 4
    tasks.expire_seen_keys()
    assert SeenKey.objects.count() == 4
