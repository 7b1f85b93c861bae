"""Rosa sleeps from ten to eight in Berlin: what waits for her, fires once when she wakes, in order, and judged again."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.audience.models import Endpoint, Recipient
from apps.core import clock
from apps.core.enums import Category, Channel
from apps.dispatch import gate
from apps.ledger.models import Delivery, Notification, WorkItem
from apps.preferences import choosing
from apps.preferences.models import Preference, QuietHoursRule
from tests.integration.bundles_cast import flush, like, liked
from tests.integration.dispatch_cast import (
    Carrier,
    delivery,
    endpoint,
    item,
    left,
    notify,
    person,
    route,
    send,
    states,
    tenant,
)
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung

pytestmark = pytest.mark.django_db
EVENING = datetime(2040, 11, 20, 22, 30, tzinfo=UTC)
MORNING = datetime(2040, 11, 21, 7, 0, tzinfo=UTC)
MARGIN = timedelta(seconds=30)
EMAIL = Channel.EMAIL
At = Callable[[datetime], None]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, rung: list[str], carrier: Carrier) -> At:
    """Moves the clock by which people are judged; it begins in the evening."""

    def move(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    move(EVENING)
    choosing.forget_cached()
    return move


@pytest.fixture
def rosa(at: At) -> UUID:
    found = person()
    endpoint(found)
    Recipient.objects.filter(id=found).update(timezone="Europe/Berlin")
    night("night")
    return found


def night(name: str, start: int = 22, end: int = 8, **fields: Any) -> None:
    QuietHoursRule.objects.create(tenant_id=tenant(), name=name, start=start * 60, end=end * 60, **fields)
    choosing.forget_cached()


def wake(at: At, moment: datetime = MORNING, queue: str = "send.transactional.email") -> int:
    at(moment)
    WorkItem.objects.all_tenants().update(due_at=datetime(2020, 1, 1, tzinfo=UTC))
    return send(queue)


def test_it_waits_for_the_first_open_instant_and_fires_once(rosa: UUID, at: At, carrier: Carrier) -> None:
    notify([rosa])
    route()
    one = delivery()
    assert (one.status, one.reason, one.endpoint_id, one.ended_at) == ("held", "quiet_hours", None, None)
    assert one.because.items() >= {"quiet_hours": ["22:00-08:00"], "zone": "Europe/Berlin"}.items()
    assert timedelta(0) <= item().due_at - MORNING <= timedelta(seconds=1)
    assert send() == 0

    assert wake(at, MORNING - timedelta(seconds=1)) == 1
    assert (states(), carrier.calls) == ([("email", "held", "quiet_hours")], [])
    assert wake(at) == 1
    assert (states(), left(), len(carrier.messages)) == ([("email", "sent", "")], [], 1)
    assert wake(at) == 0
    one = delivery()
    assert one.endpoint_id == Endpoint.objects.get().id and one.place == "acme.test"


def test_what_waited_goes_out_in_the_order_in_which_it_was_asked_for(rosa: UUID, at: At, carrier: Carrier) -> None:
    for number in range(6):
        notify([rosa], content={"title": str(number), "body": "b"})
        first = WorkItem.objects.all_tenants().order_by("order_at")[0]
        WorkItem.objects.all_tenants().filter(id=first.id).update(order_at=EVENING + timedelta(minutes=number))
    route()
    assert len(set(WorkItem.objects.all_tenants().values_list("due_at", flat=True))) == 6
    wake(at)
    assert [message.content["subject"] for message in carrier.messages] == ["0", "1", "2", "3", "4", "5"]


def opt_out(rosa: UUID) -> None:
    Preference.objects.create(tenant_id=tenant(), recipient_id=rosa, topic="*", channel="email", is_on=False)
    Recipient.objects.filter(id=rosa).update(preferences_version=1)


def read_in_the_app(rosa: UUID) -> None:
    Delivery.objects.all_tenants().filter(channel="in_app").update(read_at=EVENING)


def click_elsewhere(rosa: UUID) -> None:
    Delivery.objects.all_tenants().filter(channel="in_app").update(clicked_at=EVENING)


def sleep_longer(rosa: UUID) -> None:
    Recipient.objects.filter(id=rosa).update(timezone="America/New_York")


CHANGES = [
    ("nothing", lambda rosa: None, ("sent", "")),
    ("she opted out", opt_out, ("skipped", "channel_off")),
    ("she read it in the app", read_in_the_app, ("skipped", "seen_elsewhere")),
    ("she clicked it elsewhere", click_elsewhere, ("skipped", "seen_elsewhere")),
    ("she has flown to New York", sleep_longer, ("held", "quiet_hours")),
    ("her address is gone", lambda rosa: Endpoint.objects.all().delete(), ("skipped", "no_endpoint")),
]


@pytest.mark.parametrize(("_name", "change", "ends"), CHANGES, ids=[row[0] for row in CHANGES])
def test_it_is_judged_again(
    rosa: UUID, at: At, carrier: Carrier, _name: str, change: Callable[[UUID], object], ends: tuple[str, str]
) -> None:
    notify([rosa], channels=[EMAIL, Channel.IN_APP])
    route()
    send("send.transactional.in_app")
    change(rosa)
    wake(at)
    assert states() == [("email", *ends), ("in_app", "delivered", "")]
    assert len(carrier.calls) == (ends[0] == "sent")
    if ends[0] == "held":
        # a lease and a wait are on the database's clock
        assert timedelta(0) <= item().due_at + MARGIN - datetime.now(UTC) - timedelta(hours=6) <= 2 * MARGIN
        assert wake(at, MORNING + timedelta(hours=6)) == 1
        assert states()[0] == ("email", "sent", "")


def test_what_expired_meanwhile_is_not_sent(rosa: UUID, at: At, carrier: Carrier) -> None:
    notify([rosa], expires_at=MORNING - timedelta(hours=1))
    route()
    wake(at)
    assert (states(), carrier.calls) == ([("email", "expired", "expired")], [])


def test_it_goes_where_she_is_reached_then(rosa: UUID, at: At, carrier: Carrier) -> None:
    notify([rosa])
    route()
    endpoint(rosa, address="new@acme.test")
    wake(at)
    assert [message.address for message in carrier.messages] == ["new@acme.test"]


def test_every_device_gets_it_once(rosa: UUID, at: At, carrier: Carrier) -> None:
    endpoint(rosa, Channel.PUSH, "a", platform="android")
    notify([rosa], channels=[Channel.PUSH])
    route()
    endpoint(rosa, Channel.PUSH, "b", platform="android")
    queue = "send.transactional.push"
    assert (wake(at, queue=queue), wake(at, queue=queue), wake(at, queue=queue)) == (1, 1, 0)
    assert sorted(message.address for message in carrier.messages) == ["a", "b"]
    assert states() == [("push", "sent", "")] * 2
    assert sorted(Delivery.objects.all_tenants().values_list("endpoint_id", flat=True)) == sorted(
        Endpoint.objects.filter(channel="push").values_list("id", flat=True)
    )


def test_a_worker_that_dies_while_it_addresses_leaves_nothing_half_done(
    rosa: UUID, at: At, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    for device in ("a", "b"):
        endpoint(rosa, Channel.PUSH, device, platform="android")
    notify([rosa], channels=[Channel.PUSH])
    route()
    with monkeypatch.context() as patch:

        def killed(_: Any) -> None:
            raise SystemExit

        patch.setattr(gate, "write_deliveries", killed)
        with pytest.raises(SystemExit):
            wake(at, queue="send.transactional.push")
    assert (states(), delivery().endpoint_id, carrier.calls) == ([("push", "held", "quiet_hours")], None, [])


def test_critical_is_never_held_and_it_is_written_down(rosa: UUID, carrier: Carrier) -> None:
    notify([rosa], category=Category.CRITICAL)
    route("critical")
    send("send.critical.email")
    assert (delivery().status, delivery().bypassed) == ("sent", "quiet_hours")


def test_what_critical_overrides_only_when_it_is_sent_is_written_down_too(rosa: UUID, at: At, carrier: Carrier) -> None:
    at(MORNING)
    notify([rosa], category=Category.CRITICAL)
    route("critical")
    assert delivery().bypassed == ""
    opt_out(rosa)
    send("send.critical.email")
    one = delivery()
    assert (one.status, one.bypassed, one.because["rule"]) == ("sent", "channel_off", "switched_off")


def test_quiet_hours_of_a_country_bind_who_is_there_whatever_they_chose(rosa: UUID, at: At, carrier: Carrier) -> None:
    QuietHoursRule.objects.all_tenants().delete()
    night("de", 20, 23, country="DE", is_locked=True, channels=["email"])
    otto = person("otto")
    endpoint(otto, address="otto@acme.test")
    endpoint(otto, Channel.SMS, "+4915112345678")
    flavia = person("flavia")
    endpoint(flavia, address="flavia@acme.test")
    at(datetime(2040, 11, 20, 20, 30, tzinfo=UTC))
    Recipient.objects.filter(id=flavia).update(locale="de-CH")
    notify([rosa, otto, flavia])
    route()
    send()
    found = dict(Delivery.objects.all_tenants().values_list("recipient_id", "status"))
    assert found == {rosa: "held", otto: "held", flavia: "sent"}


def test_what_was_never_held_costs_nothing(rosa: UUID, at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(gate, "seen_elsewhere", asked)
    at(MORNING)
    notify([rosa])
    route()
    send()
    assert states() == [("email", "sent", "")]


@pytest.mark.parametrize("skew", [timedelta(hours=-1), timedelta(hours=1)])
def test_a_worker_whose_clock_is_wrong_neither_loses_nor_doubles(
    rosa: UUID, at: At, carrier: Carrier, skew: timedelta
) -> None:
    """When work is due, and whose it is, the database's clock says."""
    notify([rosa] * 3)
    route()
    at(MORNING + skew)
    assert send() == 0
    assert wake(at, MORNING + skew) == 3
    assert len(carrier.messages) == (3 if skew > timedelta(0) else 0)
    at(MORNING - skew)
    assert send() == 0
    wake(at, MORNING)
    assert (states(), len(carrier.messages), left()) == ([("email", "sent", "")] * 3, 3, [])


def test_what_the_night_held_back_is_grouped_in_the_morning(rosa: UUID, at: At, carrier: Carrier) -> None:
    like()
    liked(rosa, 3)
    route("social")
    assert states() == [("email", "held", "quiet_hours")] * 3
    assert wake(at, queue="send.social.email") == 3
    assert (states(), carrier.calls) == ([("email", "held", "grouped")] * 3, [])
    WorkItem.objects.all_tenants().update(due_at=datetime(2020, 1, 1, tzinfo=UTC))
    at(datetime.now(UTC))
    assert flush() == 1
    assert [(d.status, d.merged_into) for d in Delivery.objects.all_tenants()] == [
        ("merged", Notification.objects.all_tenants().get(source="summary").id)
    ] * 3


def test_one_alone_is_held_back_and_grouped_once(rosa: UUID, at: At, carrier: Carrier) -> None:
    like()
    liked(rosa)
    route("social")
    wake(at, queue="send.social.email")
    assert states() == [("email", "held", "grouped")]
    WorkItem.objects.all_tenants().update(due_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert flush() == 1
    assert wake(at, queue="send.social.email") == 1
    assert (states(), len(carrier.messages)) == ([("email", "sent", "")], 1)
