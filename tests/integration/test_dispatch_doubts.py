"""In doubt: how often each category is called for, what ends a doubt, what a look-up says, and what dies on the way."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.channels.models import ProviderAccount
from apps.channels.services import create_account
from apps.core import clock, ids
from apps.core.enums import Category, Channel, EventKind, KeyMode, OutcomeKind
from apps.core.types import Outcome
from apps.dispatch import draining, resolving
from apps.dispatch.rescue import rescue
from apps.events.selectors import forget_cached as forget_event_types
from apps.ledger import doubts, services, work
from apps.ledger.models import Attempt, Delivery, DeliveryEvent, WorkItem
from apps.ledger.receipts import record
from apps.ledger.selectors import notifications
from apps.ledger.timeline import timeline
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
    people,
    route,
    send,
    soon,
    state,
    states,
    tenant,
)
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.doubts_cast import SILENT, drained, event_type, later, planned, reached, receipt, routed, told

pytestmark = pytest.mark.django_db
CRITICAL, TRANSACTIONAL, SOCIAL, MARKETING = Category
PUSH, EMAIL, SMS, _ = Channel
ACCOUNT = {PUSH: "sandbox-push", EMAIL: "sandbox-email", SMS: "sandbox-sms"}


@pytest.fixture(autouse=True)
def quiet(rung: list[str], carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_event_types()
    monkeypatch.setattr(draining, "close_old_connections", lambda: None)


def every_hour(category: Category, channel: Channel) -> None:
    """A quarter of an hour by minutes, a day by hours, and whatever falls due in them."""
    for seconds in (*[61] * 16, *[3600] * 24):
        later(seconds)
        drained(category, channel)
        drained(category)


CALLS = {
    (CRITICAL, PUSH): 2,
    (CRITICAL, EMAIL): 2,
    (CRITICAL, SMS): 2,
    (TRANSACTIONAL, PUSH): 2,
    (TRANSACTIONAL, EMAIL): 1,
    (TRANSACTIONAL, SMS): 1,
    (SOCIAL, PUSH): 2,
    (SOCIAL, EMAIL): 1,
    (SOCIAL, SMS): 1,
    (MARKETING, PUSH): 1,
    (MARKETING, EMAIL): 1,
    (MARKETING, SMS): 1,
}


@pytest.mark.parametrize(("category", "channel"), list(CALLS))
def test_how_often_a_provider_that_never_answers_is_called(
    carrier: Carrier, category: Category, channel: Channel
) -> None:
    id_ = routed(category, channel)
    carrier.says = [SILENT]
    drained(category, channel)
    every_hour(category, channel)
    calls = CALLS[category, channel]
    assert (len(carrier.messages), state(id_), left(), dead()) == (calls, ("unknown", "in_doubt"), [], [])
    assert attempts() == [(n + 1, ACCOUNT[channel], "ambiguous", "read_timeout") for n in range(calls)]
    assert (delivery().duplicate_possible, told()) == (calls == 2, ["resent"] * (calls - 1))
    assert len({(m.delivery, m.address, *m.content.items()) for m in carrier.messages}) == 1
    assert len({m.reference for m in carrier.messages}) == calls


def test_a_code_by_sms_goes_once_more_after_three_seconds_and_says_so(carrier: Carrier) -> None:
    id_ = routed(CRITICAL, SMS)
    carrier.says = [SILENT, ACCEPTED]
    drained(CRITICAL, SMS)
    assert (state(id_), planned()) == (("unknown", "in_doubt"), [("doubt", "resend", 3)])
    assert (item().calls, item().tries, item().id) == (1, 0, id_)
    drained(CRITICAL, SMS)
    assert len(carrier.calls) == 1
    later(3)
    drained(CRITICAL, SMS)
    assert (state(id_), left(), len(carrier.calls)) == (("sent", ""), [], 2)
    assert attempts() == [(1, "sandbox-sms", "ambiguous", "read_timeout"), (2, "sandbox-sms", "accepted", "")]
    assert delivery().duplicate_possible
    entries = timeline(tenant_id=tenant(), notification_id=delivery().notification_id)
    said = {entry.kind: entry.text for entry in entries if entry.kind in {"resent", "ambiguous", "sent"}}
    assert said == {
        "ambiguous": "sandbox-sms: The request went out and no answer came back. (read_timeout)",
        "resent": "It was sent once more because the first attempt's fate is not known.",
        "sent": "sandbox-sms took it as m1. Sent is not yet delivered.",
    }
    assert [entry.detail.get("in_doubt") for entry in entries if entry.kind == "ambiguous"] == [True]


def test_the_timeline_says_what_is_planned() -> None:
    from apps.channels import registry

    routed(CRITICAL, EMAIL)
    registry.provider("sandbox").says = [SILENT]  # type: ignore[attr-defined]
    drained(CRITICAL, EMAIL)
    last = timeline(tenant_id=tenant(), notification_id=delivery().notification_id)[-1]
    assert (last.kind, last.text) == (
        "doubt_planned",
        f"In doubt. At {item().due_at:%H:%M:%S} UTC: It is sent once more.",
    )
    assert last.delivery_id == delivery().id


def test_another_account_takes_the_second_one(carrier: Carrier) -> None:
    for order, key in enumerate(("first", "second")):
        create_account(key=key, provider="sandbox", channel=SMS)
        ProviderAccount.objects.all_tenants().filter(key=key).update(order=order)
    routed(CRITICAL, SMS, mode=KeyMode.LIVE)
    carrier.says = [SILENT, ACCEPTED]
    drained(CRITICAL, SMS)
    later(3)
    drained(CRITICAL, SMS)
    assert carrier.accounts == ["first", "second"]


@pytest.mark.parametrize("kind", [EventKind.DELIVERED, EventKind.SENT, EventKind.DEFERRED, EventKind.OPENED])
def test_a_receipt_ends_the_doubt_and_what_was_planned(carrier: Carrier, kind: EventKind) -> None:
    id_ = routed(CRITICAL, SMS)
    carrier.says = [SILENT]
    drained(CRITICAL, SMS)
    assert [applied.ended_work for applied in record([("sandbox-sms", receipt(kind))]).applied] == [True]
    assert left() == []
    every_hour(CRITICAL, SMS)
    assert (len(carrier.calls), state(id_)[0]) == (
        1,
        "sent" if kind in {EventKind.SENT, EventKind.DEFERRED} else "delivered",
    )
    assert (delivery().duplicate_possible, told()) == (False, [kind.value])


def test_news_that_does_not_settle_it_leaves_the_plan(carrier: Carrier) -> None:
    routed(CRITICAL, SMS)
    carrier.says = [SILENT]
    drained(CRITICAL, SMS)
    record([("sandbox-sms", receipt(EventKind.SOFT_BOUNCED))])
    assert planned() == [("doubt", "resend", 3)]


def test_a_receipt_between_the_claim_and_the_call_stops_the_call(carrier: Carrier) -> None:
    """The work is taken away, so the intent cannot be written."""
    id_ = routed(CRITICAL, SMS)
    carrier.says = [SILENT]
    drained(CRITICAL, SMS)
    later(3)
    works = claimed("send.critical.sms")
    assert [w.kind for w in works] == ["doubt"]
    record([("sandbox-sms", receipt())])
    resolving.resolve_doubts(works, float("inf"))
    assert (len(carrier.calls), state(id_), left()) == (1, ("delivered", ""), [])
    assert (len(attempts()), delivery().duplicate_possible, told()) == (1, False, ["delivered"])


def test_a_receipt_at_the_last_moment_stops_the_call_too(carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the state was looked at, before the intent."""
    id_ = routed(CRITICAL, SMS)
    carrier.says = [SILENT]
    drained(CRITICAL, SMS)
    later(3)
    real = resolving.send_batch

    def overtaken(works: Sequence[Any], ends: float) -> None:
        record([("sandbox-sms", receipt())])
        real(works, ends)

    monkeypatch.setattr(resolving, "send_batch", overtaken)
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
    id_ = routed(CRITICAL, SMS)
    carrier.says = [SILENT]
    drained(CRITICAL, SMS)
    later(3)
    real = resolving.send_batch

    def answered(works: Sequence[Any], ends: float) -> None:
        Delivery.objects.of(tenant()).update(status="sent", reason="")
        real(works, ends)

    monkeypatch.setattr(resolving, "send_batch", answered)
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
    id_ = routed(CRITICAL, SMS)
    carrier.says = [SILENT, ACCEPTED]
    drained(CRITICAL, SMS)
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
    routed(CRITICAL, EMAIL)
    carrier.says = [SILENT, ACCEPTED]
    drained(CRITICAL, EMAIL)
    later(10)
    assert len(claimed("send.critical.email")) == 1
    lapse_leases()
    rescue()
    assert (len(carrier.calls), item().kind, item().expiries) == (1, "doubt", 1)
    drained(CRITICAL, EMAIL)
    assert (len(carrier.calls), states()) == (2, [("email", "sent", "")])


def test_a_doubt_that_kills_its_workers_is_set_aside_and_stays_a_doubt(carrier: Carrier) -> None:
    id_ = routed(CRITICAL, EMAIL)
    carrier.says = [SILENT]
    drained(CRITICAL, EMAIL)
    later(10)
    WorkItem.objects.all_tenants().update(expiries=3)
    assert len(work.claim_lone(queue="send.critical.email", lease=LEASE)) == 1
    lapse_leases()
    rescue()
    assert (state(id_), left(), dead()) == (("unknown", "in_doubt"), [], [("poisoned", {"expiries": 4})])


REFUSED = [
    (Outcome(OutcomeKind.INVALID_ADDRESS, "gone"), ("failed", "invalid_address")),
    (Outcome(OutcomeKind.REJECTED, "too_long"), ("failed", "rejected")),
]


@pytest.mark.parametrize(("outcome", "expected"), REFUSED)
def test_what_the_provider_says_the_second_time_counts(
    carrier: Carrier, outcome: Outcome, expected: tuple[str, str]
) -> None:
    id_ = routed(CRITICAL, SMS)
    carrier.says = [SILENT, outcome]
    drained(CRITICAL, SMS)
    later(3)
    drained(CRITICAL, SMS)
    assert (state(id_), left(), len(carrier.calls)) == (expected, [], 2)


def test_a_second_send_that_finds_no_way_leaves_the_first_in_doubt(carrier: Carrier) -> None:
    """It is tried again like any send; that it could not be sent says nothing about the one that may have gone out."""
    id_ = routed(CRITICAL, SMS)
    carrier.says = [SILENT, Outcome(OutcomeKind.TRANSIENT, "500")]
    drained(CRITICAL, SMS)
    for _ in range(9):
        later(110)
        drained(CRITICAL, SMS)
    assert (state(id_), left(), len(carrier.calls)) == (("unknown", "in_doubt"), [], 7)
    assert [number for number, *_ in attempts()] == list(range(1, 8))
    assert [kind for _, _, kind, _ in attempts()] == ["ambiguous", *["transient"] * 6]
    assert (told(), [reason for reason, _ in dead()]) == (["resent"], ["retries_exhausted"])


def test_nothing_is_sent_again_after_the_expiry(carrier: Carrier) -> None:
    id_ = routed(CRITICAL, SMS, expires_at=soon(600))
    carrier.says = [SILENT]
    drained(CRITICAL, SMS)
    WorkItem.objects.all_tenants().update(expires_at=clock.now())
    later(3)
    drained(CRITICAL, SMS)
    assert (len(carrier.calls), state(id_), left()) == (1, ("unknown", "in_doubt"), [])
    assert told() == ["left_in_doubt"]


def test_nothing_is_sent_again_when_all_workers_were_away_for_too_long(carrier: Carrier) -> None:
    id_ = routed(CRITICAL, SMS)
    carrier.says = [SILENT]
    drained(CRITICAL, SMS)
    later(1_801)
    drained(CRITICAL, SMS)
    assert (len(carrier.calls), state(id_), left(), told()) == (1, ("unknown", "in_doubt"), [], ["left_in_doubt"])


def test_a_second_send_that_was_held_up_for_too_long_is_left(carrier: Carrier) -> None:
    id_ = routed(CRITICAL, SMS)
    carrier.says = [SILENT, Outcome(OutcomeKind.THROTTLED, "429", retry_after=200.0)]
    drained(CRITICAL, SMS)
    later(3)
    drained(CRITICAL, SMS)
    assert (len(carrier.calls), item().kind) == (2, "resend")
    later(1_800)
    drained(CRITICAL, SMS)
    assert (len(carrier.calls), state(id_), left()) == (2, ("unknown", "in_doubt"), [])
    assert told() == ["resent", "left_in_doubt"]


def test_a_code_that_expires_too_soon_is_not_planned_at_all(carrier: Carrier) -> None:
    routed(CRITICAL, SMS, expires_at=soon(2))
    carrier.says = [SILENT]
    drained(CRITICAL, SMS)
    assert (left(), told(), states()) == ([], [], [("sms", "unknown", "in_doubt")])


def test_the_recipients_no_holds_for_the_second_one_too(carrier: Carrier) -> None:
    from apps.preferences.models import Preference

    id_ = routed(TRANSACTIONAL, PUSH)
    carrier.says = [SILENT]
    drained(TRANSACTIONAL, PUSH)
    Preference.objects.create(
        tenant_id=tenant(), recipient_id=delivery().recipient_id, topic="*", channel="push", is_on=False
    )
    later(60)
    drained(TRANSACTIONAL, PUSH)
    assert (len(carrier.calls), state(id_), left()) == (1, ("unknown", "in_doubt"), [])


def test_an_event_type_may_forbid_it_or_allow_a_mail(carrier: Carrier) -> None:
    event_type("never", category="critical", resend_in_doubt="never")
    event_type("mail", category="transactional", resend_in_doubt="once")
    rosa = reached(SMS, EMAIL)
    content = {"title": "a", "body": "b"}
    notify([rosa], category=CRITICAL, channels=[SMS], event_type="never", content=content)
    notify([rosa], category=TRANSACTIONAL, channels=[EMAIL], event_type="mail", content=content)
    route("critical"), route("transactional")
    carrier.says = [SILENT]
    drained(CRITICAL, SMS), drained(TRANSACTIONAL, EMAIL)
    assert planned() == [("doubt", "resend", 60)]
    later(60)
    drained(TRANSACTIONAL, EMAIL)
    every_hour(CRITICAL, SMS)
    mails = [m for m in carrier.messages if m.channel == EMAIL]
    assert (len(mails), len({m.delivery for m in mails}), len(carrier.messages)) == (2, 1, 3)


def test_codes_are_kept_for_the_second_send_and_erased_after_it(carrier: Carrier) -> None:
    event_type("login.code", sensitive_keys=["code"])
    rosa = reached(SMS)
    (n,) = notify(
        [rosa], category=CRITICAL, channels=[SMS], event_type="login.code", content={"body": "b"}, data={"code": "4711"}
    )
    route("critical")
    carrier.says = [SILENT, SILENT]
    drained(CRITICAL, SMS)
    assert notifications([n])[n].data == {"code": "4711"}
    later(3)
    drained(CRITICAL, SMS)
    assert (len(carrier.calls), notifications([n])[n].data) == (2, {"code": "[erased]"})


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


def test_what_follows_in_order_does_not_wait_for_a_doubt(carrier: Carrier) -> None:
    rosa = reached(PUSH)
    notify([rosa, rosa], category=SOCIAL, channels=[PUSH], ordering_key="chat")
    assert (route("social"), route("social")) == (1, 1)
    carrier.says = [SILENT, ACCEPTED]
    drained(SOCIAL, PUSH)
    assert (len(carrier.calls), planned()) == (2, [("doubt", "resend", 30)])


# operators


def test_an_operators_try_takes_the_place_of_the_plan_and_the_numbers_go_on(carrier: Carrier) -> None:
    id_ = routed(CRITICAL, SMS)
    carrier.says = [SILENT, ACCEPTED]
    drained(CRITICAL, SMS)
    n = delivery().notification_id
    with pytest.raises(services.NothingToDoError):
        services.retry_notification(tenant_id=tenant(), notification_id=n, by="mira")
    assert planned() == [("doubt", "resend", 3)]
    services.retry_notification(tenant_id=tenant(), notification_id=n, by="mira", may_duplicate=True)
    assert (planned(), delivery().duplicate_possible) == ([("send", "", 0)], True)
    drained(CRITICAL, SMS)
    every_hour(CRITICAL, SMS)
    assert ([number for number, *_ in attempts()], len(carrier.calls), state(id_)) == ([1, 2], 2, ("sent", ""))
    event = DeliveryEvent.objects.all_tenants().get()
    assert (event.kind, event.code, event.source) == ("retried", "may_duplicate", "mira")


def test_what_is_being_sent_once_more_cannot_be_retried_meanwhile(carrier: Carrier) -> None:
    routed(CRITICAL, SMS)
    carrier.says = [SILENT, ACCEPTED]
    drained(CRITICAL, SMS)
    later(3)
    n = delivery().notification_id

    def retry(_: Any) -> None:
        with pytest.raises(services.NothingToDoError):
            services.retry_notification(tenant_id=tenant(), notification_id=n, by="mira", may_duplicate=True)

    carrier.during = retry
    drained(CRITICAL, SMS)
    assert (len(carrier.calls), states(), left()) == (2, [("sms", "sent", "")], [])


def test_numbers_go_on_after_a_failure_too(carrier: Carrier) -> None:
    id_ = routed(TRANSACTIONAL, EMAIL)
    carrier.says = [Outcome(OutcomeKind.REJECTED, "no"), ACCEPTED]
    drained(TRANSACTIONAL, EMAIL)
    services.retry_notification(tenant_id=tenant(), notification_id=delivery().notification_id, by="mira")
    later(1)
    drained(TRANSACTIONAL, EMAIL)
    assert ([number for number, *_ in attempts()], state(id_)) == ([1, 2], ("sent", ""))
    assert not delivery().duplicate_possible


def test_cancelling_takes_the_plan_back_and_the_doubt_stays(carrier: Carrier) -> None:
    id_ = routed(CRITICAL, SMS)
    carrier.says = [SILENT]
    drained(CRITICAL, SMS)
    services.cancel_notification(tenant_id=tenant(), notification_id=delivery().notification_id, by="mira")
    assert (left(), state(id_), told()) == ([], ("unknown", "in_doubt"), ["cancelled"])
    with pytest.raises(services.NothingToDoError):
        services.cancel_notification(tenant_id=tenant(), notification_id=delivery().notification_id, by="mira")


# the cost


@pytest.mark.parametrize("count", [1, 10, 100])
def test_doubts_take_a_fixed_number_of_statements(
    carrier: Carrier, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.core import rows as sql

    notify(people(count), category=CRITICAL)
    route("critical")
    carrier.says = [SILENT]
    works = work.claim(queue="send.critical.email", limit=count, lease=LEASE, weights={})
    ours: list[str] = []
    real = sql.Cursor

    class Counting(real):  # type: ignore[misc, valid-type]
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            ours.append(str(query).split()[0])
            return super().execute(query, *args, **kwargs)

    monkeypatch.setattr(sql, "Cursor", Counting)
    from apps.dispatch.send_batch import send_batch

    send_batch(works, float("inf"))
    first = len(ours)
    assert Delivery.objects.of(tenant()).filter(status="unknown").count() == count
    later(10)
    works = work.claim(queue="send.critical.email", limit=count, lease=LEASE, weights={})
    ours.clear()
    with CaptureQueriesContext(connection) as seen:
        resolving.resolve_doubts(works, float("inf"))
    django = [q["sql"] for q in seen if "SAVEPOINT" not in q["sql"]]
    assert len(carrier.messages) == 2 * count
    assert (first, len(ours), len(django)) == (10, 12, 1), (first, ours, django)


@pytest.mark.parametrize("count", [1, 100])
def test_receipts_pay_for_doubts_only_where_there_were_any(
    carrier: Carrier, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.core.types import Receipt
    from apps.ledger import receipts

    notify(people(count), category=CRITICAL)
    route("critical")
    carrier.says = [SILENT]
    for _ in range(count // 20 + 1):
        send("send.critical.email")
    found = Attempt.objects.all_tenants().values_list("id", flat=True)
    items = [
        ("sandbox-email", Receipt(f"e{n}", EventKind.DELIVERED, clock.now(), reference=ids.show(ids.ATTEMPT, id_)))
        for n, id_ in enumerate(found)
    ]
    cancelled: list[int] = []
    real = doubts.cancel_doubts
    monkeypatch.setattr(receipts, "cancel_doubts", lambda **k: cancelled.append(real(**k)))
    assert len(record(items).applied) == count
    assert (cancelled, left()) == ([count], [])
    again = [(key, Receipt("x" + r.event_id, EventKind.OPENED, r.at, reference=r.reference)) for key, r in items]
    record(again)
    assert cancelled == [count]


def test_times_are_the_databases(carrier: Carrier) -> None:
    routed(CRITICAL, EMAIL)
    carrier.says = [SILENT]
    drained(CRITICAL, EMAIL)
    assert timedelta(seconds=9) < item().due_at - clock.now() <= timedelta(seconds=10)
