"""Sending a batch: judged again, intent before the call, settlement after it, one consequence for each answer."""

import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import InterfaceError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.audience.models import Endpoint
from apps.channels.models import ProviderAccount
from apps.channels.services import create_account
from apps.core import clock
from apps.core.enums import Channel, KeyMode, OutcomeKind, Reason
from apps.core.types import Outcome
from apps.dispatch import gate, in_app, recording
from apps.dispatch import send_batch as module
from apps.dispatch.rescue import rescue
from apps.events.models import EventType
from apps.events.selectors import forget_cached as forget_event_types
from apps.inbox.models import InboxItem
from apps.ledger import work
from apps.ledger.models import Attempt, Delivery, WorkItem
from apps.ledger.selectors import notifications
from apps.preferences.models import Preference, Suppression
from apps.routing.decisions import Hold
from apps.templates.models import TemplateVariant
from apps.tenants import selectors as tenants
from apps.tenants.selectors import tenant_by_id
from tests.integration.dispatch_cast import (
    LEASE,
    Carrier,
    attempts,
    claimed,
    committed,
    counts,
    dead,
    delivery,
    endpoint,
    item,
    lapse_leases,
    left,
    make_due,
    notify,
    people,
    person,
    route,
    send,
    soon,
    state,
    states,
    tenant,
)
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.templates_cast import email, publish

pytestmark = pytest.mark.django_db
ACCOUNT = "sandbox-email"
EMAIL = "send.transactional.email"


@pytest.fixture(autouse=True)
def quiet(rung: list[str], carrier: Carrier) -> None:
    forget_event_types()


def routed(**wish: Any) -> UUID:
    """Rosa's email, decided and waiting to be sent; its delivery."""
    rosa = person()
    endpoint(rosa)
    notify([rosa], **wish)
    route(wish.get("category", "transactional"))
    return delivery().id


def test_what_the_provider_takes_is_sent(carrier: Carrier) -> None:
    id_ = routed()
    assert send() == 1
    assert state(id_) == ("sent", "")
    one = delivery()
    assert (one.account, one.provider_message_id, one.ended_at, one.delivered_at) == (ACCOUNT, "m1", None, None)
    assert one.sent_at is not None
    assert attempts() == [(1, ACCOUNT, "accepted", "")]
    (message,) = carrier.messages
    assert (message.address, message.content["subject"], message.tenant) == (f"{person()}@acme.test", "Hello", "acme")
    assert counts() == {
        "Notification": 1,
        "Delivery": 1,
        "Attempt": 1,
        "DeliveryEvent": 0,
        "DeadLetter": 0,
        "WorkItem": 0,
    }


OUTCOMES = [
    # kind, status, reason, work left, dead letter
    ("invalid_address", "failed", "invalid_address", False, False),
    ("opted_out", "failed", "opted_out", False, False),
    ("rejected", "failed", "rejected", False, True),
    ("ambiguous", "unknown", "in_doubt", False, False),
    ("transient", "queued", "", True, False),
    ("throttled", "queued", "", True, False),
    ("provider_down", "queued", "", True, False),
    ("misconfigured", "queued", "", True, False),
]


@pytest.mark.parametrize(("kind", "status", "reason", "is_left", "is_dead"), OUTCOMES)
def test_every_answer_has_its_consequence(
    carrier: Carrier, kind: str, status: str, reason: str, is_left: bool, is_dead: bool
) -> None:
    id_ = routed()
    carrier.says = [Outcome(OutcomeKind(kind), "c1", "said so")]
    send()
    assert (state(id_), len(carrier.calls)) == ((status, reason), 1)
    assert attempts() == [(1, ACCOUNT, kind, "c1")]
    assert left() == ([(EMAIL, work.READY)] if is_left else [])
    assert dead() == ([(reason, {"kind": kind, "code": "c1", "detail": "said so"})] if is_dead else [])
    retired = Endpoint.objects.of(tenant()).exclude(retired_at=None).values_list("retired_reason", flat=True)
    assert list(retired) == (["invalid_address"] if kind == "invalid_address" else [])
    vetoes = list(Suppression.objects.of(tenant()).values_list("reason", "source"))
    assert vetoes == ([("opted_out", ACCOUNT)] if kind == "opted_out" else [])
    if is_left:
        assert (item().tries, item().calls, item().lease_until) == (int(kind == "transient"), 1, None)
        assert item().due_at > clock.now() and send() == 0


def test_refused_credentials_switch_the_account_off_and_the_message_waits(carrier: Carrier) -> None:
    create_account(key="fake", provider="sandbox", channel=Channel.EMAIL)
    id_ = routed(mode=KeyMode.LIVE)
    carrier.says = [Outcome(OutcomeKind.MISCONFIGURED, "401"), Outcome(OutcomeKind.ACCEPTED)]
    send()
    account = ProviderAccount.objects.all_tenants().get()
    assert (account.is_on, account.off_reason) == (False, "The provider refused our credentials or sender (401).")
    make_due()
    send()
    assert (state(id_), len(carrier.calls), item().tries) == (("queued", ""), 1, 0)
    assert timedelta(seconds=25) < item().due_at - clock.now() <= timedelta(seconds=30)
    WorkItem.objects.all_tenants().update(order_at=clock.now() - timedelta(hours=25))
    make_due()
    send()
    assert (state(id_), dead(), left()) == (("failed", "no_provider"), [("no_provider", {})], [])


def test_a_throttled_message_waits_as_long_as_it_is_told_and_burns_no_try(carrier: Carrier) -> None:
    routed()
    carrier.says = [Outcome(OutcomeKind.THROTTLED, "429", retry_after=100.0)]
    send()
    assert (item().tries, item().calls) == (0, 1)
    assert timedelta(seconds=98) < item().due_at - clock.now() <= timedelta(seconds=120)
    assert Attempt.objects.all_tenants().get().retry_after == 100.0


def test_tries_are_used_up_after_six(carrier: Carrier) -> None:
    id_ = routed()
    carrier.says = [Outcome(OutcomeKind.TRANSIENT, "500", "later")]
    for number in range(1, 7):
        assert send() == 1
        assert item().tries == number if number < 6 else left() == []
        make_due()
    assert state(id_) == ("failed", "retries_exhausted")
    assert attempts() == [(n, ACCOUNT, "transient", "500") for n in range(1, 7)]
    assert dead() == [("retries_exhausted", {"kind": "transient", "code": "500", "detail": "later"})]


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ("expired", "expired", "expired"),
        ("opted_out", "skipped", "channel_off"),
        ("suppressed", "skipped", "suppressed"),
        ("retired", "skipped", "endpoint_retired"),
        ("moved", "skipped", "endpoint_retired"),
        ("forgotten", "skipped", "unknown_recipient"),
    ],
)
def test_it_is_judged_again_before_it_is_sent(carrier: Carrier, change: str, status: str, reason: str) -> None:
    id_ = routed(expires_at=soon(0.3) if change == "expired" else None)
    row = Endpoint.objects.of(tenant()).get()
    match change:
        case "expired":
            connection.cursor().execute("SELECT pg_sleep(0.4)")
        case "opted_out":
            Preference.objects.create(
                tenant_id=tenant(), recipient_id=person(), topic="*", channel="email", is_on=False
            )
        case "suppressed":
            Suppression.objects.create(
                tenant_id=tenant(), channel="email", address_hash=row.address_hash, reason="manual"
            )
        case "retired":
            Endpoint.objects.of(tenant()).update(retired_at=clock.now())
        case "moved":
            endpoint(person(), address="new@acme.test")
        case "forgotten":
            row.recipient.delete()
    send()
    assert (state(id_), carrier.calls) == ((status, reason), [])
    assert counts() == {
        "Notification": 1,
        "Delivery": 1,
        "Attempt": 0,
        "DeliveryEvent": 0,
        "DeadLetter": 0,
        "WorkItem": 0,
    }


def test_what_must_wait_now_is_held_and_sent_later(carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    id_ = routed()
    with monkeypatch.context() as patch:
        patch.setattr(gate, "decide", lambda case: Hold(soon(100), Reason.EXPIRED))
        send()
    assert (state(id_), carrier.calls) == (("held", "expired"), [])
    assert timedelta(seconds=98) < item().due_at - clock.now() <= timedelta(seconds=100)
    make_due()
    send()
    assert (state(id_), len(carrier.calls)) == (("sent", ""), 1)


def test_a_template_that_fails_ends_in_a_dead_letter_with_its_place(carrier: Carrier) -> None:
    rosa = person()
    endpoint(rosa)
    acme = tenant_by_id(tenant())
    assert acme is not None
    publish(
        acme, "shipped", email("<p>Hello</p>\n{{ data.count | divided_by: data.none }}"), sample={"count": 1, "none": 1}
    )
    assert TemplateVariant.objects.of(tenant()).exists()
    notify([rosa], template_key="shipped", data={"count": 1, "none": 0})
    route()
    id_ = delivery().id
    send()
    assert (state(id_), carrier.calls, left(), attempts()) == (("failed", "template_error"), [], [], [])
    ((reason, context),) = dead()
    assert (reason, context["line"]) == ("template_error", 2)
    assert (
        set(context) == {"code", "detail", "line", "column", "template_version", "version"} and context["column"] >= 1
    )


@pytest.mark.django_db(transaction=True)
def test_the_intent_is_committed_before_the_call_and_no_transaction_is_open_during_it(carrier: Carrier) -> None:
    id_ = routed()
    seen: list[Any] = []

    def look(messages: Any) -> None:
        seen.append(connection.in_atomic_block)
        seen.append(committed("SELECT phase, calls, attempt_id IS NOT NULL FROM ledger_work_item"))
        seen.append(committed("SELECT delivery_id, number, account, kind, ended_at FROM ledger_attempt"))
        seen.append(committed("SELECT status FROM ledger_delivery"))
        idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%%'"
        seen.append(committed(idle))

    carrier.during = look
    send()
    assert seen == [False, [(work.CALLING, 1, True)], [(id_, 1, ACCOUNT, "", None)], [("queued",)], [(0,)]]
    assert committed("SELECT status FROM ledger_delivery") == [("sent",)]
    assert committed("SELECT count(*) FROM ledger_work_item") == [(0,)]


def test_what_does_not_fit_into_the_time_is_given_back_unharmed(carrier: Carrier) -> None:
    notify(people(5))
    route()
    assert send(seconds=-1) == 5
    assert carrier.calls == []
    assert left() == [(EMAIL, work.READY)] * 5
    assert set(WorkItem.objects.all_tenants().values_list("expiries", "tries", "calls", "lease_until")) == {
        (0, 0, 0, None)
    }
    send()
    assert states() == [("email", "sent", "")] * 5


def test_a_bug_in_a_provider_leaves_the_message_in_doubt(carrier: Carrier, caplog: pytest.LogCaptureFixture) -> None:
    id_ = routed()
    carrier.says = [KeyError("boom")]
    send()
    assert (state(id_), left(), dead()) == (("unknown", "in_doubt"), [], [])
    assert attempts() == [(1, ACCOUNT, "ambiguous", "provider_bug")]
    assert [r.message for r in caplog.records if r.levelno >= logging.ERROR] == ["provider failed"]


def test_an_answer_after_the_lease_was_lost_still_counts(carrier: Carrier) -> None:
    """The rescuer took the worker for dead; the answer it got after all lifts the doubt, on delivery and attempt."""
    id_ = routed()

    def late(_: Any) -> None:
        lapse_leases()
        assert rescue() == 1
        assert (state(id_), attempts(), left()) == (
            ("unknown", "in_doubt"),
            [(1, ACCOUNT, "ambiguous", "worker_lost")],
            [],
        )

    carrier.during = late
    send()
    assert (state(id_), left(), dead()) == (("sent", ""), [], [])
    assert attempts() == [(1, ACCOUNT, "accepted", "")]
    assert Attempt.objects.all_tenants().get().provider_message_id == "m1"
    assert delivery().ended_at is None


def test_a_call_whose_lease_is_gone_is_not_made(carrier: Carrier) -> None:
    routed()
    zombie = claimed(EMAIL)
    lapse_leases()
    work.lapse()
    module.send_batch(zombie, float("inf"))
    assert (carrier.calls, attempts(), states()) == ([], [], [("email", "queued", "")])
    module.send_batch(work.claim_lone(queue=EMAIL, lease=LEASE), float("inf"))
    assert (len(carrier.calls), states()) == (1, [("email", "sent", "")])


@pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError("closed")])
@pytest.mark.django_db(transaction=True)
def test_recording_is_tried_again_while_the_database_is_away(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    id_ = routed()
    real, failures = recording.settle, [error, error]

    def flaky(results: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(results)

    monkeypatch.setattr(recording, "settle", flaky)
    send()
    assert (state(id_), len(carrier.calls), attempts(), left()) == (("sent", ""), 1, [(1, ACCOUNT, "accepted", "")], [])


def test_a_provider_may_say_what_postgresql_cannot_hold(carrier: Carrier) -> None:
    id_ = routed()
    carrier.says = [Outcome(OutcomeKind.REJECTED, "a\x00b", "no\x00 \\u0000 \\\x00", exchange={"x": "\x00"})]
    send()
    assert state(id_) == ("failed", "rejected")
    assert (attempts()[0][3], Attempt.objects.all_tenants().get().detail) == ("ab", "no \\u0000 \\")


def test_in_app_is_delivered_in_one_transaction(monkeypatch: pytest.MonkeyPatch, rung: list[str]) -> None:
    rosa = person()
    poked: list[Any] = []
    monkeypatch.setattr(in_app.inbox, "poke", poked.append)
    notify([rosa], channels=[Channel.IN_APP])
    route()
    with monkeypatch.context() as patch:

        def killed(items: Any) -> None:
            raise SystemExit

        patch.setattr(in_app.inbox, "add_items", killed)
        with pytest.raises(SystemExit), transaction.atomic():
            send("send.transactional.in_app")
    assert (states(), attempts(), InboxItem.objects.of(tenant()).count()) == ([("in_app", "queued", "")], [], 0)
    assert (left(), poked) == ([("send.transactional.in_app", work.READY)], [])
    send("send.transactional.in_app")
    assert (states(), attempts(), left()) == ([("in_app", "delivered", "")], [(1, "inbox", "accepted", "")], [])
    assert (InboxItem.objects.of(tenant()).get().id, poked) == (delivery().id, [{rosa}])


def test_codes_are_erased_once_nothing_is_left_to_send(carrier: Carrier) -> None:
    EventType.objects.create(
        tenant_id=tenant(), key="login", name="x", category="transactional", sensitive_keys=["code"]
    )
    rosa = person()
    endpoint(rosa)
    (n,) = notify(
        [rosa],
        event_type="login",
        content={"body": "b"},
        channels=[Channel.EMAIL, Channel.IN_APP],
        data={"code": "1", "x": 2},
    )
    route()
    send()
    assert notifications([n])[n].data == {"code": "1", "x": 2}
    send("send.transactional.in_app")
    assert notifications([n])[n].data == {"code": "[erased]", "x": 2}
    assert notifications([n])[n].content == {"body": "b"}


@pytest.mark.parametrize("count", [1, 10, 100])
def test_a_call_takes_a_fixed_number_of_statements(
    carrier: Carrier, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    notify(people(count))
    route()
    works = claimed(EMAIL)
    monkeypatch.setattr(tenants, "_tenants", (0.0, {}))
    with CaptureQueriesContext(connection) as seen:
        module.send_batch(works, float("inf"))
    assert len(carrier.calls) == 1 and Delivery.objects.of(tenant()).filter(status="sent").count() == count
    assert (
        len([q for q in seen if "SAVEPOINT" not in q["sql"]]) == 2
    )  # tenants, vetoes; people and addresses are by hand
