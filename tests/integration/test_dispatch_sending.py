"""Sending a batch: judged again before the call, one consequence for each answer after it."""

from datetime import timedelta

import pytest
from django.db import connection

from apps.audience.models import Endpoint
from apps.channels.models import ProviderAccount
from apps.channels.services import create_account
from apps.core import clock
from apps.core.enums import Category, Channel, KeyMode, OutcomeKind, Reason
from apps.core.types import Outcome
from apps.events.models import EventType
from apps.ledger import work
from apps.ledger.models import Attempt, WorkItem
from apps.ledger.selectors import notifications
from apps.preferences.models import Preference, Suppression
from apps.routing import deciding
from apps.routing.decisions import Hold
from apps.templates.models import TemplateVariant
from apps.tenants.selectors import tenant_by_id
from tests.integration.dispatch_cast import (
    Carrier,
    attempts,
    counts,
    dead,
    delivery,
    endpoint,
    item,
    left,
    make_due,
    notify,
    person,
    route,
    send,
    soon,
    state,
    tenant,
)
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.doubts_cast import quiet as quiet
from tests.integration.doubts_cast import routed
from tests.integration.templates_cast import email, publish

pytestmark = pytest.mark.django_db
ACCOUNT = "sandbox-email"
EMAIL = "send.transactional.email"


def test_what_the_provider_takes_is_sent(carrier: Carrier) -> None:
    id_ = routed(Category.TRANSACTIONAL, Channel.EMAIL)
    assert send() == 1
    assert state(id_) == ("sent", "")
    one = delivery()
    assert (one.account, one.provider_message_id, one.ended_at, one.delivered_at) == (ACCOUNT, "m1", None, None)
    assert one.sent_at is not None
    assert attempts() == [(1, ACCOUNT, "accepted", "")]
    (message,) = carrier.messages
    assert (message.address, message.content["subject"], message.tenant) == ("rosa@acme.test", "Hello", "acme")
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
    id_ = routed(Category.TRANSACTIONAL, Channel.EMAIL)
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
    id_ = routed(Category.TRANSACTIONAL, Channel.EMAIL, mode=KeyMode.LIVE)
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
    routed(Category.TRANSACTIONAL, Channel.EMAIL)
    carrier.says = [Outcome(OutcomeKind.THROTTLED, "429", retry_after=100.0)]
    send()
    assert (item().tries, item().calls) == (0, 1)
    assert timedelta(seconds=98) < item().due_at - clock.now() <= timedelta(seconds=120)
    assert Attempt.objects.all_tenants().get().retry_after == 100.0


def test_tries_are_used_up_after_six(carrier: Carrier) -> None:
    id_ = routed(Category.TRANSACTIONAL, Channel.EMAIL)
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
    id_ = routed(Category.TRANSACTIONAL, Channel.EMAIL, expires_at=soon(0.3) if change == "expired" else None)
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
    id_ = routed(Category.TRANSACTIONAL, Channel.EMAIL)
    with monkeypatch.context() as patch:
        patch.setattr(deciding, "decide", lambda case: Hold(soon(100), Reason.EXPIRED))
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


def test_a_provider_may_say_what_postgresql_cannot_hold(carrier: Carrier) -> None:
    id_ = routed(Category.TRANSACTIONAL, Channel.EMAIL)
    carrier.says = [Outcome(OutcomeKind.REJECTED, "a\x00b", "no\x00 \\u0000 \\\x00", exchange={"x": "\x00"})]
    send()
    assert state(id_) == ("failed", "rejected")
    assert (attempts()[0][3], Attempt.objects.all_tenants().get().detail) == ("ab", "no \\u0000 \\")


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
