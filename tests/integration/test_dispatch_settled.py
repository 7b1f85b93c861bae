"""A receipt for an earlier try while the next one waits: the person has it, or never will by this channel, so nothing is sent again."""

from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from apps.core import clock, ids
from apps.core.enums import Category, Channel, EventKind, OutcomeKind
from apps.core.rows import atomic, execute
from apps.core.types import Outcome, Receipt
from apps.dispatch import capping
from apps.dispatch import send_batch as sending
from apps.dispatch.fallback import after_receipts
from apps.ledger import receipts, work
from apps.ledger.models import Attempt
from apps.ledger.receipts import record
from apps.ledger.selectors import notifications
from apps.ledger.services import NothingToDoError, retry_notification
from tests.integration.dispatch_cast import (
    ACCEPTED,
    Carrier,
    attempts,
    claimed,
    dead,
    delivery,
    item,
    left,
    make_due,
    notify,
    people,
    route,
    send,
    state,
    tenant,
)
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.doubts_cast import drained, event_type, receipt, routed, told, until
from tests.integration.doubts_cast import quiet as quiet

pytestmark = pytest.mark.django_db
T, EMAIL = Category.TRANSACTIONAL, Channel.EMAIL
BUSY = Outcome(OutcomeKind.TRANSIENT, "503")
QUEUE = "send.transactional.email"
ENDS = {
    EventKind.SENT: ("sent", ""),
    EventKind.DEFERRED: ("sent", ""),
    EventKind.DELIVERED: ("delivered", ""),
    EventKind.OPENED: ("delivered", ""),
    EventKind.BOUNCED: ("bounced", "hard_bounce"),
    EventKind.FAILED: ("failed", "rejected"),
}


@pytest.fixture(autouse=True)
def busy_at_first(quiet: None, carrier: Carrier) -> None:
    carrier.says = [BUSY, ACCEPTED]


def hears(kind: EventKind = EventKind.DELIVERED) -> list[bool]:
    """Of the first try; whether work ended by it."""
    with atomic():
        applied = record([("sandbox-email", receipt(kind))]).applied
        after_receipts(applied)
    return [one.ended_work for one in applied]


def busy(**wish: Any) -> UUID:
    """A delivery that is to be tried again."""
    id_ = routed(T, EMAIL, **wish)
    drained(T, EMAIL)
    assert (state(id_), left(), attempts()) == (
        ("queued", ""),
        [(QUEUE, 0)],
        [(1, "sandbox-email", "transient", "503")],
    )
    return id_


@pytest.mark.parametrize("kind", list(ENDS))
def test_a_receipt_for_the_first_try_ends_the_second(carrier: Carrier, kind: EventKind) -> None:
    id_ = busy()
    assert (hears(kind), left()) == ([True], [])
    make_due()
    drained(T, EMAIL)
    assert (len(carrier.calls), state(id_), dead(), told()) == (1, ENDS[kind], [], [kind.value])


def test_news_that_does_not_settle_it_leaves_the_second_try(carrier: Carrier) -> None:
    id_ = busy()
    assert (hears(EventKind.SOFT_BOUNCED), left()) == ([False], [(QUEUE, 0)])
    make_due()
    drained(T, EMAIL)
    assert (len(carrier.calls), state(id_)) == (2, ("sent", ""))


def test_a_receipt_between_the_claim_and_the_call_stops_the_call(carrier: Carrier) -> None:
    id_ = busy()
    make_due()
    works = claimed(QUEUE)
    hears()
    sending.send_batch(works, until(60))
    assert (len(carrier.calls), state(id_), left(), len(attempts())) == (1, ("delivered", ""), [], 1)


def test_a_receipt_after_the_judgement_stops_the_call_too(carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    id_ = busy()
    make_due()
    real = sending.pass_gate

    def overtaken(*args: Any) -> Any:
        passed = real(*args)
        hears()
        return passed

    monkeypatch.setattr(sending, "pass_gate", overtaken)
    drained(T, EMAIL)
    assert (len(carrier.calls), state(id_), left(), len(attempts())) == (1, ("delivered", ""), [], 1)


def test_proof_during_a_call_that_fails_ends_the_next_try_quietly(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider took it, said so, and then answered 503: the work comes back, and whoever claims it looks."""
    given_back: list[UUID] = []
    monkeypatch.setattr(capping, "give_back", lambda ids, tenants: given_back.extend(ids))
    id_ = routed(T, EMAIL)
    carrier.during = lambda messages: None if len(carrier.calls) > 1 else hears()
    drained(T, EMAIL)
    assert (state(id_), left()) == (("delivered", ""), [(QUEUE, 0)])
    make_due()
    drained(T, EMAIL)
    assert (len(carrier.calls), state(id_), left(), dead(), given_back) == (1, ("delivered", ""), [], [], [])
    assert (attempts(), told()) == ([(1, "sandbox-email", "transient", "503")], ["delivered"])


@pytest.mark.django_db(transaction=True)
def test_a_receipt_does_not_wait_for_who_holds_the_work(carrier: Carrier) -> None:
    """Who settles has the work first and then wants the delivery: waiting for each other would end for one of them with an error."""
    id_ = busy()
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT FROM ledger_work_item WHERE id = %s FOR UPDATE", [id_])
        with atomic():
            execute("SET LOCAL lock_timeout = '2s'", {})
            assert hears() == [False]
        other.rollback()
    finally:
        other.close()
    assert (state(id_), left()) == (("delivered", ""), [(QUEUE, 0)])
    make_due()
    drained(T, EMAIL)
    assert (len(carrier.calls), state(id_), left()) == (1, ("delivered", ""), [])


def test_the_next_channel_has_its_turn_once_and_the_first_none(carrier: Carrier) -> None:
    event_type("order.shipped", category=T, fallback=["email", "sms"])
    busy(event_type="order.shipped", content={"title": "a", "body": "b"})
    hears(EventKind.BOUNCED)
    make_due()
    drained(T)
    drained(T, EMAIL)
    assert [message.channel for message in carrier.messages] == [EMAIL]
    assert told() == ["bounced", "fell_back"]


def test_codes_go_with_the_work(carrier: Carrier) -> None:
    event_type("login.code", category=T, sensitive_keys=["code"])
    content = {"title": "a", "body": "{{ code }}"}
    busy(event_type="login.code", content=content, data={"code": "4711"})
    n = delivery().notification_id
    assert notifications([n])[n].data == {"code": "4711"}
    hears()
    assert notifications([n])[n].data == {"code": "[erased]"}


def test_what_an_operator_tries_again_is_settled_by_an_old_receipt(carrier: Carrier) -> None:
    carrier.says = [Outcome(OutcomeKind.REJECTED, "bad_request"), ACCEPTED]
    id_ = routed(T, EMAIL)
    drained(T, EMAIL)
    assert state(id_) == ("failed", "rejected")
    n = delivery().notification_id
    retry_notification(tenant_id=tenant(), notification_id=n, by="mira")
    assert item().id == id_
    hears()
    drained(T, EMAIL)
    assert (len(carrier.calls), state(id_), left()) == (1, ("delivered", ""), [])
    with pytest.raises(NothingToDoError):
        retry_notification(tenant_id=tenant(), notification_id=n, by="mira")


@pytest.mark.parametrize("count", [1, 10, 1_000])
def test_a_batch_of_receipts_takes_the_work_of_a_lane_in_one_statement(
    carrier: Carrier, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier.says = [BUSY]
    notify(people(count))
    route()
    for _ in range(count // 500 + 1):
        send()
    assert len(left()) == count
    found = Attempt.objects.all_tenants().values_list("id", flat=True)
    news = [Receipt(f"e{id_}", EventKind.DELIVERED, clock.now(), ids.show(ids.ATTEMPT, id_)) for id_ in found]
    removed: list[int] = []
    statements: list[str] = []
    real, fetch = work.remove_settled, work.fetch
    monkeypatch.setattr(receipts, "remove_settled", lambda *of: (found := real(*of), removed.append(len(found)))[0])
    monkeypatch.setattr(work, "fetch", lambda sql, of: (statements.append(sql), fetch(sql, of))[1])
    assert [one.ended_work for one in record([("sandbox-email", one) for one in news]).applied] == [True] * count
    assert (removed, len(statements), left()) == ([count], 1, [])
    record([("sandbox-email", Receipt("x" + r.event_id, EventKind.OPENED, r.at, r.reference)) for r in news])
    assert removed == [count]
