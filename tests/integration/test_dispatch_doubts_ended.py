"""What ends a doubt before it is sent once more: receipts and late answers, whenever they come; and workers that die on the way."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from apps.core.enums import Category, Channel, EventKind
from apps.dispatch import resolving
from apps.dispatch.rescue import rescue
from apps.ledger import work
from apps.ledger.models import Delivery, WorkItem
from apps.ledger.receipts import record
from apps.ledger.selectors import notifications
from tests.integration.dispatch_cast import (
    ACCEPTED,
    LEASE,
    Carrier,
    attempts,
    claimed,
    dead,
    delivery,
    item,
    lapse_leases,
    left,
    notify,
    route,
    send,
    state,
    states,
    tenant,
)
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.doubts_cast import (
    SILENT,
    drained,
    event_type,
    every_hour,
    in_doubt,
    later,
    planned,
    reached,
    receipt,
    routed,
    told,
)
from tests.integration.doubts_cast import quiet as quiet

pytestmark = pytest.mark.django_db
CRITICAL, TRANSACTIONAL, SOCIAL, MARKETING = Category
PUSH, EMAIL, SMS, _ = Channel


@pytest.mark.parametrize("kind", [EventKind.DELIVERED, EventKind.SENT, EventKind.DEFERRED, EventKind.OPENED])
def test_a_receipt_ends_the_doubt_and_what_was_planned(carrier: Carrier, kind: EventKind) -> None:
    id_ = in_doubt(carrier, CRITICAL, SMS)
    assert [applied.ended_work for applied in record([("sandbox-sms", receipt(kind))]).applied] == [True]
    assert left() == []
    every_hour(CRITICAL, SMS)
    assert (len(carrier.calls), state(id_)[0]) == (
        1,
        "sent" if kind in {EventKind.SENT, EventKind.DEFERRED} else "delivered",
    )
    assert (delivery().duplicate_possible, told()) == (False, [kind.value])


def test_news_that_does_not_settle_it_leaves_the_plan(carrier: Carrier) -> None:
    in_doubt(carrier, CRITICAL, SMS)
    record([("sandbox-sms", receipt(EventKind.SOFT_BOUNCED))])
    assert planned() == [("doubt", "resend", 3)]


def test_a_receipt_lets_the_codes_go_at_once(carrier: Carrier) -> None:
    from apps.dispatch.fallback import after_receipts

    event_type("login.code", sensitive_keys=["code"])
    rosa = reached(SMS)
    (n,) = notify(
        [rosa], category=CRITICAL, channels=[SMS], event_type="login.code", content={"body": "b"}, data={"code": "4711"}
    )
    route("critical")
    carrier.says = [SILENT]
    drained(CRITICAL, SMS)
    after_receipts(record([("sandbox-sms", receipt())]).applied)
    assert notifications([n])[n].data == {"code": "[erased]"}


def test_a_receipt_between_the_claim_and_the_call_stops_the_call(carrier: Carrier) -> None:
    """The work is taken away, so the intent cannot be written."""
    id_ = in_doubt(carrier, CRITICAL, SMS)
    later(3)
    works = claimed("send.critical.sms")
    assert [w.kind for w in works] == ["doubt"]
    record([("sandbox-sms", receipt())])
    resolving.resolve_doubts(works, float("inf"))
    assert (len(carrier.calls), state(id_), left()) == (1, ("delivered", ""), [])
    assert (len(attempts()), delivery().duplicate_possible, told()) == (1, False, ["delivered"])


def before_the_intent(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """It happens after the doubt's state was looked at."""
    real = resolving.send_batch

    def overtaken(works: Sequence[Any], ends: float) -> None:
        happens()
        real(works, ends)

    monkeypatch.setattr(resolving, "send_batch", overtaken)


def test_a_receipt_at_the_last_moment_stops_the_call_too(carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the state was looked at, before the intent."""
    id_ = in_doubt(carrier, CRITICAL, SMS)
    later(3)
    before_the_intent(monkeypatch, lambda: record([("sandbox-sms", receipt())]))
    drained(CRITICAL, SMS)
    assert (len(carrier.calls), state(id_), left(), told()) == (1, ("delivered", ""), [], ["delivered"])


def test_a_late_answer_of_a_worker_taken_for_dead_stops_the_second_send(carrier: Carrier) -> None:
    """Its settlement finds the work gone, but the delivery is known now; the intent looks at it under its lock."""
    id_ = routed(CRITICAL, SMS)

    seen: list[Any] = []

    def late(_: Any) -> None:
        lapse_leases()
        rescue()
        seen.append(planned())

    carrier.during = late
    send("send.critical.sms")
    carrier.during = lambda _: None
    assert seen == [[("doubt", "resend", 3)]]
    assert (state(id_), attempts()) == (("sent", ""), [(1, "sandbox-sms", "accepted", "")])
    every_hour(CRITICAL, SMS)
    assert (len(carrier.calls), left(), told()) == (1, [], [])


def test_an_answer_between_the_look_and_the_intent_stops_it_and_the_work_goes(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves the work alone, so the delivery itself must be looked at."""
    id_ = in_doubt(carrier, CRITICAL, SMS)
    later(3)
    before_the_intent(monkeypatch, lambda: Delivery.objects.of(tenant()).update(status="sent", reason=""))
    drained(CRITICAL, SMS)
    assert (len(carrier.calls), len(attempts()), told()) == (1, 1, [])
    lapse_leases()
    rescue()
    drained(CRITICAL, SMS)
    assert (left(), state(id_), len(carrier.calls), dead()) == ([], ("sent", ""), 1, [])


def test_a_receipt_before_the_worker_gives_up_waiting_leaves_no_plan(carrier: Carrier) -> None:
    id_ = routed(CRITICAL, SMS)
    carrier.says = [SILENT]
    carrier.during = lambda _: record([("sandbox-sms", receipt())])
    drained(CRITICAL, SMS)
    assert (state(id_), left(), told()) == (("delivered", ""), [], ["delivered"])


def test_a_receipt_during_the_second_call_leaves_the_work_to_it(carrier: Carrier) -> None:
    id_ = in_doubt(carrier, CRITICAL, SMS, ACCEPTED)
    later(3)

    seen: list[Any] = []

    def arrives(_: Any) -> None:
        record([("sandbox-sms", receipt())])
        seen.append(left())

    carrier.during = arrives
    drained(CRITICAL, SMS)
    assert seen == [[("send.critical.sms", work.CALLING)]]
    assert (state(id_), left(), len(carrier.calls)) == (("delivered", ""), [], 2)


def test_a_worker_killed_in_the_call_leaves_a_plan_and_one_killed_again_leaves_none(carrier: Carrier) -> None:
    def killed(*_: object) -> None:
        raise SystemExit

    id_ = routed(CRITICAL, EMAIL)
    carrier.during = killed
    for number in (1, 2):
        with pytest.raises(SystemExit):
            drained(CRITICAL, EMAIL)
        assert left() == [("send.critical.email", work.CALLING)]
        drained(CRITICAL, EMAIL)
        assert len(carrier.calls) == number
        lapse_leases()
        assert rescue() == 1
        assert (state(id_), delivery().account) == (("unknown", "in_doubt"), "sandbox-email")
        assert planned() == ([("doubt", "resend", 10)] if number == 1 else [])
        later(10)
    every_hour(CRITICAL, EMAIL)
    assert attempts() == [(n, "sandbox-email", "ambiguous", "worker_lost") for n in (1, 2)]
    assert (len(carrier.calls), delivery().duplicate_possible, left(), dead()) == (2, True, [], [])


def test_a_worker_killed_before_the_second_call_leaves_the_plan_to_another(carrier: Carrier) -> None:
    in_doubt(carrier, CRITICAL, EMAIL, ACCEPTED)
    later(10)
    assert len(claimed("send.critical.email")) == 1
    lapse_leases()
    rescue()
    assert (len(carrier.calls), item().kind, item().expiries) == (1, "doubt", 1)
    drained(CRITICAL, EMAIL)
    assert (len(carrier.calls), states()) == (2, [("email", "sent", "")])


def test_a_doubt_that_kills_its_workers_is_set_aside_and_stays_a_doubt(carrier: Carrier) -> None:
    id_ = in_doubt(carrier, CRITICAL, EMAIL)
    later(10)
    WorkItem.objects.all_tenants().update(expiries=3)
    assert len(work.claim_lone(queue="send.critical.email", lease=LEASE)) == 1
    lapse_leases()
    rescue()
    assert (state(id_), left(), dead()) == (("unknown", "in_doubt"), [], [("poisoned", {"expiries": 4})])
