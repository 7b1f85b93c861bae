"""Stored calls become events, statuses and vetoes: once each, and none lost to its neighbours."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, close_old_connections, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.audience.models import Endpoint
from apps.core import clock, ids
from apps.dispatch import bells
from apps.ledger.models import DeliveryEvent
from apps.preferences.models import Suppression
from apps.receipts import keeping, services, tasks
from apps.receipts.models import ReceiptCall
from notifier.celery import app
from tests.integration.receipts_cast import AT, apply, attempt, call, event, sent

pytestmark = pytest.mark.django_db


def due_now() -> None:
    ReceiptCall.objects.update(due_at=clock.now() - timedelta(seconds=1))


def state(call_id: UUID) -> tuple[bool, bool, int, str]:
    """Whether it is applied, whether it is parked, its failures, its error."""
    found = ReceiptCall.objects.get(id=call_id)
    return found.applied_at is not None, found.parked_at is not None, found.tries, found.error


def events_of(tenant: UUID) -> list[str]:
    return list(DeliveryEvent.objects.of(tenant).order_by("kind").values_list("kind", flat=True))


def test_a_delivered_receipt_advances_the_delivery() -> None:
    bea = sent()
    stored = call(event(bea))
    apply()
    assert bea.status == "delivered"
    assert events_of(bea.tenant) == ["delivered"]
    assert state(stored) == (True, False, 0, "")
    assert not Suppression.objects.of(bea.tenant).exists()
    assert Endpoint.objects.of(bea.tenant).get().retired_at is None


@pytest.mark.parametrize(
    ("kind", "reason"), [("bounced", "hard_bounce"), ("complained", "complaint"), ("opted_out", "opted_out")]
)
def test_a_veto_suppresses_the_address(kind: str, reason: str) -> None:
    bea = sent()
    rosa = sent("rosa")
    call(event(bea, kind), event(rosa))
    apply()
    (row,) = Suppression.objects.of(bea.tenant)
    assert (bytes(row.address_hash), row.channel, row.reason, row.masked, row.source) == (
        bea.address_hash,
        "email",
        reason,
        "b***@simulator.test",
        "sandbox-email",
    )
    assert not Endpoint.objects.of(bea.tenant).exclude(retired_at=None).exists()


@pytest.mark.parametrize("kind", ["soft_bounced", "failed", "opened"])
def test_other_news_leave_the_address_alone(kind: str) -> None:
    bea = sent()
    call(event(bea, kind))
    apply()
    assert events_of(bea.tenant) == [kind]
    assert not Suppression.objects.of(bea.tenant).exists()
    assert Endpoint.objects.of(bea.tenant).get().retired_at is None


def test_an_address_that_does_not_exist_is_retired() -> None:
    bea = sent()
    call(event(bea, "failed", code="invalid_address"))
    apply()
    endpoint = Endpoint.objects.of(bea.tenant).get()
    assert endpoint.retired_at is not None
    assert endpoint.retired_reason == "invalid_address"
    assert not Suppression.objects.of(bea.tenant).exists()


def test_an_event_counts_once_however_often_it_comes() -> None:
    bea = sent()
    call(event(bea), event(bea))
    call(event(bea))
    apply()
    call(event(bea))
    apply()
    assert events_of(bea.tenant) == ["delivered"]
    assert ReceiptCall.objects.filter(applied_at=None).count() == 0


def test_a_receipt_that_came_before_its_attempt_is_kept_and_tried_again() -> None:
    bea = sent(with_attempt=False)
    rosa = sent("rosa")
    stored = call(event(rosa), event(bea))
    apply()
    assert (rosa.status, bea.status) == ("delivered", "sent")
    assert state(stored) == (False, False, 0, "unmatched")
    assert ReceiptCall.objects.get().due_at > clock.now() + timedelta(seconds=1)
    attempt(bea)
    apply()
    assert bea.status == "sent"
    due_now()
    apply()
    assert bea.status == "delivered"
    assert events_of(bea.tenant) == ["delivered", "delivered"]
    assert state(stored) == (True, False, 0, "")


def test_it_looks_for_an_unknown_attempt_ever_more_rarely_and_then_parks_the_call() -> None:
    stored = call(event(sent(with_attempt=False)))
    for age, wait in ((30, 30), (3_600, 3_600), (172_800, 21_600)):
        ReceiptCall.objects.update(received_at=clock.now() - timedelta(seconds=age))
        due_now()
        apply()
        assert state(stored) == (False, False, 0, "unmatched")
        left = (ReceiptCall.objects.get().due_at - clock.now()).total_seconds()
        assert wait - 2 < left <= wait + 1
    ReceiptCall.objects.update(received_at=clock.now() - timedelta(days=3, seconds=1))
    due_now()
    apply()
    assert state(stored) == (False, True, 0, "unmatched")


def test_an_account_cannot_speak_of_anothers_attempts() -> None:
    bea = sent(account="sandbox-sms")
    stored = call(event(bea, "bounced"))
    apply()
    assert bea.status == "sent"
    assert events_of(bea.tenant) == []
    assert not Suppression.objects.of(bea.tenant).exists()
    assert state(stored)[3] == "unmatched"


def test_a_poisoned_call_takes_no_neighbour_with_it(caplog: pytest.LogCaptureFixture) -> None:
    bea, rosa = sent(), sent("rosa")
    first, poison, last = call(event(bea)), call(body=b'{"events":[{"kind":4711}]}'), call(event(rosa))
    apply()
    assert (bea.status, rosa.status) == ("delivered", "delivered")
    assert state(first) == state(last) == (True, False, 0, "")
    applied, parked, tries, error = state(poison)
    assert (applied, parked, tries) == (False, False, 1)
    assert error.startswith("ValidationError: ")
    for number in (2, 3):
        assert not [r for r in caplog.records if r.levelno >= logging.ERROR]
        due_now()
        apply()
        assert state(poison)[1:3] == (number == 3, number)
    assert [r.message for r in caplog.records if r.levelno >= logging.ERROR] == ["receipt call parked"]
    due_now()
    apply()
    assert state(poison)[1:3] == (True, 3)


def test_a_call_whose_account_is_gone_is_parked() -> None:
    stored = call(event(sent()))
    ReceiptCall.objects.update(account_id=ids.new())
    for _ in range(3):
        due_now()
        apply()
    assert state(stored) == (False, True, 3, "LookupError")


def test_a_database_that_is_away_is_nobodys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = call(event(sent()))

    def away(items: object) -> None:
        raise OperationalError("deadlock detected")

    monkeypatch.setattr(services, "record", away)
    with pytest.raises(OperationalError):
        services.apply_due(ends=monotonic() + 10)
    assert state(stored) == (False, False, 0, "")


@pytest.mark.parametrize("count", [1, 10, 60])
def test_a_batch_takes_a_fixed_number_of_statements(count: int) -> None:
    for number in range(count):
        bea, rosa = sent(f"bea{number}"), sent(f"rosa{number}")
        call(event(bea, "bounced"), event(rosa, "failed", code="invalid_address"))
    with CaptureQueriesContext(connection) as queries:
        apply()
    kinds = [query["sql"].split()[0] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert (kinds, ReceiptCall.objects.exclude(applied_at=None).count()) == (
        ["SELECT", "SELECT", "INSERT", "UPDATE", "UPDATE", "SELECT"],
        count,
    )


def test_the_task_stills_its_bell_and_rings_again_when_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, str]] = []
    monkeypatch.setattr(tasks.bells, "answer", lambda queue: heard.append(("answer", queue)))
    monkeypatch.setattr(tasks.bells, "ring", lambda queue: heard.append(("ring", queue)))
    bea = sent()
    call(event(bea))
    tasks.apply(queue="receipts")
    assert (heard, bea.status) == ([("answer", "receipts")], "delivered")
    monkeypatch.setattr(tasks, "SLICE_SECONDS", -1)
    tasks.apply(queue="receipts")
    assert heard == [("answer", "receipts"), ("answer", "receipts"), ("ring", "receipts")]


def test_the_sweep_applies_what_lost_its_bell() -> None:
    bea = sent()
    call(event(bea))
    tasks.sweep()
    assert bea.status == "delivered"


@pytest.mark.parametrize(
    ("days", "changes", "is_kept"),
    [
        (6, {"applied_at": AT}, True),
        (8, {"applied_at": AT}, False),
        (8, {"parked_at": AT}, True),
        (29, {"parked_at": AT}, True),
        (31, {"parked_at": AT}, False),
    ],
)
def test_the_sweep_forgets_what_is_old(days: int, changes: dict[str, Any], is_kept: bool) -> None:
    stored = call(event(sent()))
    old = ids.derived(ids.bound(clock.now() - timedelta(days=days)), "call")
    ReceiptCall.objects.filter(id=stored).update(id=old, **changes)
    tasks.sweep()
    assert ReceiptCall.objects.filter(id=old).exists() == is_kept


@pytest.mark.django_db(transaction=True)
def test_two_workers_apply_each_event_once() -> None:
    people = [sent(f"user{number}") for number in range(30)]
    for one in people:
        for _ in range(2):
            call(event(one), event(one, "bounced"))

    def work(_: int) -> bool:
        try:
            return services.apply_due(ends=monotonic() + 10)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(work, range(4))) == [True] * 4
    close_old_connections()
    tenant = people[0].tenant
    assert events_of(tenant) == ["bounced"] * 30 + ["delivered"] * 30
    assert Suppression.objects.of(tenant).count() == 30
    assert ReceiptCall.objects.filter(applied_at=None).count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_worker_passes_by_what_another_holds() -> None:
    bea = sent()
    stored = call(event(bea))

    def work() -> bool:
        try:
            return services.apply_due(ends=monotonic() + 10)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads, transaction.atomic():
        assert [held.id for held in keeping.due()] == [stored]
        assert threads.submit(work).result(timeout=1.5)
        assert (bea.status, state(stored)) == ("sent", (False, False, 0, ""))
    apply()
    assert bea.status == "delivered"


def test_the_bell_of_receipts_wakes_their_own_task(monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[tuple[str, str]] = []

    class Heard:
        def __init__(self, name: str, **_: object) -> None:
            self.name = name

        def apply_async(self, *, queue: str, **_: object) -> None:
            published.append((self.name, queue))

    monkeypatch.setattr(bells, "_silent", lambda queues: list(queues))
    monkeypatch.setattr(bells, "signature", Heard)
    bells.ring_on("receipts", "send.critical.sms")
    assert published == [("receipts.apply", "receipts"), ("dispatch.drain", "send.critical.sms")]
    assert {"receipts.apply", "receipts.sweep"} <= set(app.tasks)
