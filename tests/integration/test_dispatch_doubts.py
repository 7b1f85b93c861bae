"""In doubt: how often each category is called for, and what comes of the second send."""

from datetime import timedelta

import pytest

from apps.channels.models import ProviderAccount
from apps.channels.services import create_account
from apps.core import clock
from apps.core.enums import Category, Channel, KeyMode, OutcomeKind
from apps.core.types import Outcome
from apps.ledger.models import WorkItem
from apps.ledger.selectors import notifications
from apps.ledger.timeline import timeline
from tests.integration.dispatch_cast import (
    ACCEPTED,
    Carrier,
    attempts,
    dead,
    delivery,
    item,
    left,
    notify,
    route,
    soon,
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
    routed,
    told,
)
from tests.integration.doubts_cast import quiet as quiet

pytestmark = pytest.mark.django_db
CRITICAL, TRANSACTIONAL, SOCIAL, MARKETING = Category
PUSH, EMAIL, SMS, _ = Channel
ACCOUNT = {PUSH: "sandbox-push", EMAIL: "sandbox-email", SMS: "sandbox-sms"}
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
    id_ = in_doubt(carrier, category, channel)
    every_hour(category, channel)
    calls = CALLS[category, channel]
    assert (len(carrier.messages), state(id_), left(), dead()) == (calls, ("unknown", "in_doubt"), [], [])
    assert attempts() == [(n + 1, ACCOUNT[channel], "ambiguous", "read_timeout") for n in range(calls)]
    assert (delivery().duplicate_possible, told()) == (calls == 2, ["resent"] * (calls - 1))
    assert len({(m.delivery, m.address, *m.content.items()) for m in carrier.messages}) == 1
    assert len({m.reference for m in carrier.messages}) == calls


def test_a_code_by_sms_goes_once_more_after_three_seconds_and_says_so(carrier: Carrier) -> None:
    id_ = in_doubt(carrier, CRITICAL, SMS, ACCEPTED)
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


def test_times_are_the_databases(carrier: Carrier) -> None:
    in_doubt(carrier, CRITICAL, EMAIL)
    assert timedelta(seconds=9) < item().due_at - clock.now() <= timedelta(seconds=10)


def test_another_account_takes_the_second_one(carrier: Carrier) -> None:
    for order, key in enumerate(("first", "second")):
        create_account(key=key, provider="sandbox", channel=SMS)
        ProviderAccount.objects.all_tenants().filter(key=key).update(order=order)
    in_doubt(carrier, CRITICAL, SMS, ACCEPTED, mode=KeyMode.LIVE)
    later(3)
    drained(CRITICAL, SMS)
    assert carrier.accounts == ["first", "second"]


REFUSED = [
    (Outcome(OutcomeKind.INVALID_ADDRESS, "gone"), ("failed", "invalid_address")),
    (Outcome(OutcomeKind.REJECTED, "too_long"), ("failed", "rejected")),
]


@pytest.mark.parametrize(("outcome", "expected"), REFUSED)
def test_what_the_provider_says_the_second_time_counts(
    carrier: Carrier, outcome: Outcome, expected: tuple[str, str]
) -> None:
    id_ = in_doubt(carrier, CRITICAL, SMS, outcome)
    later(3)
    drained(CRITICAL, SMS)
    assert (state(id_), left(), len(carrier.calls)) == (expected, [], 2)


def test_a_second_send_that_finds_no_way_leaves_the_first_in_doubt(carrier: Carrier) -> None:
    """It is tried again like any send; that it could not be sent says nothing about the one that may have gone out."""
    id_ = in_doubt(carrier, CRITICAL, SMS, Outcome(OutcomeKind.TRANSIENT, "500"))
    for _ in range(9):
        later(110)
        drained(CRITICAL, SMS)
    assert (state(id_), left(), len(carrier.calls)) == (("unknown", "in_doubt"), [], 7)
    assert [number for number, *_ in attempts()] == list(range(1, 8))
    assert [kind for _, _, kind, _ in attempts()] == ["ambiguous", *["transient"] * 6]
    assert (told(), [reason for reason, _ in dead()]) == (["resent"], ["retries_exhausted"])


def test_nothing_is_sent_again_after_the_expiry(carrier: Carrier) -> None:
    id_ = in_doubt(carrier, CRITICAL, SMS, expires_at=soon(600))
    WorkItem.objects.all_tenants().update(expires_at=clock.now())
    later(3)
    drained(CRITICAL, SMS)
    assert (len(carrier.calls), state(id_), left()) == (1, ("unknown", "in_doubt"), [])
    assert told() == ["left_in_doubt"]


def test_nothing_is_sent_again_when_all_workers_were_away_for_too_long(carrier: Carrier) -> None:
    id_ = in_doubt(carrier, CRITICAL, SMS)
    later(1_801)
    drained(CRITICAL, SMS)
    assert (len(carrier.calls), state(id_), left(), told()) == (1, ("unknown", "in_doubt"), [], ["left_in_doubt"])


def test_a_second_send_that_was_held_up_for_too_long_is_left(carrier: Carrier) -> None:
    id_ = in_doubt(carrier, CRITICAL, SMS, Outcome(OutcomeKind.THROTTLED, "429", retry_after=200.0))
    later(3)
    drained(CRITICAL, SMS)
    assert (len(carrier.calls), item().kind) == (2, "resend")
    later(1_800)
    drained(CRITICAL, SMS)
    assert (len(carrier.calls), state(id_), left()) == (2, ("unknown", "in_doubt"), [])
    assert told() == ["resent", "left_in_doubt"]


def test_a_code_that_expires_too_soon_is_not_planned_at_all(carrier: Carrier) -> None:
    in_doubt(carrier, CRITICAL, SMS, expires_at=soon(2))
    assert (left(), told(), states()) == ([], [], [("sms", "unknown", "in_doubt")])


def test_the_recipients_no_holds_for_the_second_one_too(carrier: Carrier) -> None:
    from apps.preferences.models import Preference

    id_ = in_doubt(carrier, TRANSACTIONAL, PUSH)
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


def test_what_follows_in_order_does_not_wait_for_a_doubt(carrier: Carrier) -> None:
    rosa = reached(PUSH)
    notify([rosa, rosa], category=SOCIAL, channels=[PUSH], ordering_key="chat")
    assert (route("social"), route("social")) == (1, 1)
    carrier.says = [SILENT, ACCEPTED]
    drained(SOCIAL, PUSH)
    assert (len(carrier.calls), planned()) == (2, [("doubt", "resend", 30)])
