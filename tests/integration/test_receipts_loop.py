"""The loop of truth at a small size: events doubled, shuffled, late, before their send, poisoned, forged."""

import logging
import random
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from psycopg.errors import DeadlockDetected

from apps.channels import registry
from apps.channels.base import NotSentError
from apps.channels.providers.sandbox import SandboxProvider
from apps.channels.sandbox.wire import SandboxEvent, SandboxEvents, encode
from apps.core import clock
from apps.core.enums import EventKind, OutcomeKind
from apps.ledger.lifecycle import AFTER_EVENT, advance
from apps.ledger.models import Attempt, Delivery, DeliveryEvent
from apps.preferences.models import Suppression
from apps.receipts import follow_ups, keeping, services
from apps.receipts.models import ReceiptCall
from tests.integration.receipts_cast import AT, again, apply, attempt, call, event, kinds_of, sent

pytestmark = pytest.mark.django_db


def test_events_doubled_shuffled_and_late_end_as_a_recount_says() -> None:
    """E22: each event 1 to 5 times, in calls of any size and order."""
    chance = random.Random(22)
    people = [sent(f"user{number}") for number in range(20)]
    told = [
        event(one, kind, day=chance.random())
        for one in people
        for kind in chance.sample(["sent", "delivered", "opened", "clicked", "bounced", "complained", "deferred"], 4)
    ]
    copies = [one for one in told for _ in range(chance.randint(1, 5))]
    chance.shuffle(copies)
    while copies:
        size = chance.randint(1, 17)
        call(*copies[:size])
        copies = copies[size:]
    apply()
    rows = Counter(DeliveryEvent.objects.of(people[0].tenant).values_list("delivery_id", "kind"))
    by_reference = {one.reference: one for one in people}
    assert rows == Counter((by_reference[one.reference].delivery, one.kind) for one in told)
    for one in people:
        status = Delivery.objects.of(one.tenant).get(id=one.delivery).status
        mine = [EventKind(each.kind) for each in told if each.reference == one.reference]
        if EventKind.BOUNCED in mine:
            assert status == "bounced"
        else:
            expected = "sent"
            for kind in mine:
                expected = advance(expected, AFTER_EVENT[kind]) if kind in AFTER_EVENT else expected  # type: ignore[arg-type, assignment]
            assert status == expected
    stamped = Delivery.objects.of(people[0].tenant)
    for kind, column in (("opened", "opened_at"), ("clicked", "clicked_at"), ("complained", "complained_at")):
        assert stamped.exclude(**{column: None}).count() == sum(one.kind == kind for one in told)
    assert not ReceiptCall.objects.filter(applied_at=None).exists()


def test_a_receipt_during_the_call_matches_by_the_intent() -> None:
    """E21: the attempt's row is there before the provider is called, so its reference is known however early the receipt is."""
    bea = sent()
    Attempt.objects.of(bea.tenant).filter(id=bea.attempt).update(ended_at=None, kind="")
    Delivery.objects.of(bea.tenant).filter(id=bea.delivery).update(status="queued", sent_at=None)
    stored = call(event(bea, "delivered"))
    apply()
    assert bea.status == "delivered"
    assert ReceiptCall.objects.get(id=stored).applied_at is not None


def test_a_receipt_that_knows_only_the_providers_id_waits_for_it() -> None:
    """E21: orphans are parked in the call, looked for ever more rarely, and matched when their id is known."""
    bea, rosa = sent(), sent("rosa")
    orphan = SandboxEvent("ev-orphan", "delivered", AT.timestamp(), "", "sbx-late", "")
    stored = call(event(rosa, "delivered"), orphan)
    apply()
    row = ReceiptCall.objects.get(id=stored)
    assert (rosa.status, bea.status) == ("delivered", "sent")
    assert (row.applied_at, row.error, row.waiting) == (None, "unmatched", ["ev-orphan"])
    Attempt.objects.of(bea.tenant).filter(id=bea.attempt).update(provider_message_id="sbx-late")
    again()
    row.refresh_from_db()
    assert (bea.status, row.applied_at is not None, row.waiting) == ("delivered", True, None)
    assert kinds_of(rosa) == kinds_of(bea) == ["delivered"]


def test_only_what_still_waits_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bea, rosa = sent(with_attempt=False), sent("rosa")
    call(event(rosa, "delivered"), event(bea, "delivered"))
    apply()
    asked: list[str] = []
    record = services.record
    monkeypatch.setattr(services, "record", lambda items: asked.extend(r.event_id for _, r in items) or record(items))
    attempt(bea)
    again()
    assert asked == [f"{bea.reference}-delivered-0"]
    assert bea.status == "delivered"


def raw(*events: dict[str, Any]) -> UUID:
    """A call whose events are as they are given, sense or not."""
    return call(body=encode({"events": list(events)}))  # type: ignore[arg-type]


def plain(one: SandboxEvent) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


def test_one_poisoned_event_does_not_lose_its_call(caplog: pytest.LogCaptureFixture) -> None:
    bea, rosa = sent(), sent("rosa")
    poison = plain(event(bea, "delivered")) | {"event_id": "ev-poison", "kind": "levitated"}
    stored = raw(plain(event(bea, "delivered")), poison, plain(event(rosa, "bounced")))
    apply()
    assert (bea.status, rosa.status) == ("delivered", "bounced")
    row = ReceiptCall.objects.get(id=stored)
    assert (row.applied_at, row.parked_at, row.tries) == (None, None, 1)
    assert row.error.startswith("PartlyUnreadableError: 1 of the call's events cannot be read: ValueError: 'levitated'")
    again()
    again()
    row.refresh_from_db()
    assert (row.parked_at is None, row.tries) == (False, 3)
    assert (kinds_of(bea), kinds_of(rosa)) == (["delivered"], ["bounced"])
    assert [r.message for r in caplog.records if r.levelno >= logging.ERROR] == ["receipt call parked"]


def test_one_event_that_cannot_be_written_does_not_lose_its_call(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [sent(f"user{number}") for number in range(4)]
    act_on = follow_ups.act_on

    def stumbles(applied: Any) -> None:
        if any(one.delivery_id == people[2].delivery for one in applied):
            raise RuntimeError("a fault of ours")
        act_on(applied)

    monkeypatch.setattr(follow_ups, "act_on", stumbles)
    stored = call(*(event(one, "delivered") for one in people))
    other = call(event(people[0], "opened"))
    apply()
    assert [one.status for one in people] == ["delivered", "delivered", "sent", "delivered"]
    row = ReceiptCall.objects.get(id=stored)
    assert (row.applied_at, row.tries, row.error) == (None, 1, "RuntimeError")
    assert ReceiptCall.objects.get(id=other).applied_at is not None
    monkeypatch.setattr(follow_ups, "act_on", act_on)
    again()
    assert people[2].status == "delivered"
    assert [kinds_of(one) for one in people[1:]] == [["delivered"]] * 3


def test_a_crashed_handler_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had written goes with its transaction; the call is still due."""
    bea = sent()
    stored = call(event(bea, "bounced"))

    class Killed(BaseException):
        pass

    def killed(applied: Any) -> None:
        raise Killed

    monkeypatch.setattr(follow_ups, "act_on", killed)
    with pytest.raises(Killed):
        apply()
    assert (bea.status, kinds_of(bea)) == ("sent", [])
    monkeypatch.undo()
    apply()
    assert (bea.status, kinds_of(bea)) == ("bounced", ["bounced"])
    assert ReceiptCall.objects.get(id=stored).tries == 0


def test_a_worker_that_gave_way_in_a_deadlock_comes_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bea = sent()
    call(event(bea, "delivered"))
    act_on, met = follow_ups.act_on, []

    def meets(applied: Any) -> None:
        if not met:
            met.append(1)
            raise OperationalError("deadlock detected") from DeadlockDetected()
        act_on(applied)

    monkeypatch.setattr(follow_ups, "act_on", meets)
    apply()
    assert (bea.status, kinds_of(bea), ReceiptCall.objects.get().tries) == ("delivered", ["delivered"], 0)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.parametrize("by", ["secret", "body", "time", "tenant"])
def test_a_forged_call_has_no_effect(client: Any, by: str) -> None:
    """E23: another key, another body, an old one, another account's secret."""
    from apps.channels.standard_webhooks import sign

    bea = sent()
    body = encode(SandboxEvents([event(bea, "bounced")]))
    secret = {"secret": "whsec_AAAA", "tenant": "another-accounts-secret"}.get(by, settings.SANDBOX_SECRET)
    moment = clock.now() - timedelta(hours=2 if by == "time" else 0)
    headers = sign(secret, message_id="m1", timestamp=int(moment.timestamp()), body=body)
    sent_body = body.replace(b"bounced", b"delivered") if by == "body" else body
    answer = client.post("/v1/receipts/sandbox-email", data=sent_body, content_type="application/json", headers=headers)
    apply()
    assert (answer.status_code, ReceiptCall.objects.count()) == (401, 0)
    assert (bea.status, kinds_of(bea), Suppression.objects.of(bea.tenant).count()) == ("sent", [], 0)


class Asking(SandboxProvider):
    """Its calls want something of us. `answers`: what happens when it is given."""

    def __init__(self) -> None:
        self.answers: list[NotSentError | None] = []
        self.asked: list[tuple[bytes, bool]] = []

    def acknowledge(self, account: Any, call: Any, deadline: Any) -> None:
        self.asked.append((call.body, connection.in_atomic_block))
        if self.answers and (error := self.answers.pop(0)):
            raise error


@pytest.mark.django_db(transaction=True)
def test_what_a_call_asks_is_done_outside_of_any_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = Asking()
    monkeypatch.setitem(registry._made, "sandbox", asking)  # type: ignore[arg-type]
    bea, rosa = sent(), sent("rosa")
    asking.answers = [NotSentError(OutcomeKind.PROVIDER_DOWN, "dns"), None]
    first, second = call(event(bea, "delivered")), call(event(rosa, "delivered"))
    apply()
    assert [is_inside for _, is_inside in asking.asked] == [False, False]
    held = ReceiptCall.objects.get(id=first)
    assert (held.applied_at, held.tries, held.error) == (None, 1, "NotSentError")
    assert ReceiptCall.objects.get(id=second).applied_at is not None
    assert (bea.status, rosa.status) == ("sent", "delivered")
    again()
    assert (bea.status, len(asking.asked)) == ("delivered", 3)
    assert not ReceiptCall.objects.filter(applied_at=None).exists()


def test_a_machines_open_is_kept_and_does_not_count() -> None:
    bea = sent()
    call(event(bea, "opened", code="machine"))
    apply()
    row = Delivery.objects.of(bea.tenant).get(id=bea.delivery)
    assert (row.status, row.opened_at, kinds_of(bea)) == ("delivered", None, ["opened"])


def test_many_single_calls_share_a_transaction(django_assert_max_num_queries: Any) -> None:
    """Providers that call for each event cost no statement for each."""
    people = [sent(f"user{number}") for number in range(100)]
    for one in people:
        call(event(one, "delivered"))
    with django_assert_max_num_queries(14):
        apply()
    assert Delivery.objects.of(people[0].tenant).filter(status="delivered").count() == 100


def test_a_batch_is_bounded_by_bytes_and_by_receipts(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [sent(f"user{number}") for number in range(6)]
    for one in people:
        call(event(one, "delivered"))
    sizes: list[int] = []
    record = services.record
    monkeypatch.setattr(services, "record", lambda items: sizes.append(len(items)) or record(items))
    monkeypatch.setattr(services, "MOST_RECEIPTS", 4)
    apply()
    assert sizes == [4, 2, 0]
    keeping.replay(ReceiptCall.objects.values_list("id", flat=True))
    monkeypatch.setattr(services, "MOST_BYTES", 1)
    sizes.clear()
    apply()
    assert sizes == [1, 1, 1, 1, 1, 1, 0]
