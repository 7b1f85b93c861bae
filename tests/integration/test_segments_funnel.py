"""The funnel's last step, its samples, and the people shown beside it; what is stored and cannot be read any more."""

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from apps.audience.models import Recipient, Segment
from apps.audience.segments import asking, fields, keeping
from apps.audience.segments.asking import TookTooLong
from apps.audience.segments.compiling import EVERYBODY, condition_of
from apps.audience.segments.counting import Count
from apps.campaigns import funnel as counting
from apps.campaigns.funnel import funnel
from apps.campaigns.sampling import sample
from apps.core import clock
from apps.core.enums import Category, Channel
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.preferences import choosing
from apps.preferences.models import FrequencyCap, Mute
from tests.integration.admin_cast import acme, delivery, notification, person
from tests.integration.segments_cast import crowd
from tests.integration.statements import counted

pytestmark = pytest.mark.django_db
MARKETING: dict[str, Any] = {"channels": (Channel.EMAIL, Channel.IN_APP), "category": Category.MARKETING}


def sent(tenant: Tenant, who: Any, *, hours: int, event_type: str = "shop.sale", **fields: Any) -> None:
    age = timedelta(hours=hours)
    n = notification(tenant, who, age=age, category="marketing", mode="live", event_type=event_type)
    delivery(n, fields.pop("channel", "email"), sent_at=clock.now() - age, **fields)


def cap(tenant: Tenant, name: str, limit: int, **fields: Any) -> None:
    known = {"period": "rolling", "window_seconds": 86_400}
    FrequencyCap.objects.create(tenant_id=tenant.id, name=name, limit=limit, **known | fields)
    choosing.forget_cached()


def under(tenant: Tenant, event_type: str = "shop.sale") -> list[int]:
    found = funnel(tenant.id, EVERYBODY, **MARKETING, event_type=event_type, now=clock.now())
    return [one.under_caps for one in found.channels]


def test_who_has_got_enough_is_taken_off_by_each_cap_that_counts() -> None:
    tenant = acme()
    rosa, otto, bea = (person(tenant, name) for name in ("rosa", "otto", "bea"))
    for hours in (1, 2):
        sent(tenant, rosa, hours=hours)
    sent(tenant, otto, hours=3)
    sent(tenant, bea, hours=30)
    assert under(tenant) == [3, 3]
    cap(tenant, "two a day", 2, topic="category:marketing", channel="email")
    assert under(tenant) == [2, 3]
    cap(tenant, "one sale a day", 1, topic="shop.*")
    assert under(tenant) == [1, 3]
    assert under(tenant, "news.weekly") == [2, 3]
    cap(tenant, "one in the feed", 1, topic="*", channel="in_app")
    sent(tenant, bea, hours=1, channel="in_app")
    assert under(tenant) == [1, 2]


def test_a_push_to_two_devices_and_what_tests_send_count_once_and_never() -> None:
    tenant = acme()
    rosa = person(tenant)
    n = notification(tenant, rosa, category="marketing", mode="live")
    for device in ("a", "b"):
        delivery(n, "push", sent_at=clock.now(), endpoint_id=None if device == "a" else rosa)
    delivery(notification(tenant, rosa, category="marketing", mode="test"), sent_at=clock.now())
    cap(tenant, "two a day", 2)
    assert under(tenant) == [1, 1]


def test_it_asks_twice_whatever_the_number_of_people(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant, asked = acme(), []

    class Counting(asking.Cursor):  # type: ignore[type-arg]
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            asked.append(query)
            return super().execute(query, *args, **kwargs)

    cap(tenant, "two a day", 2)
    monkeypatch.setattr(asking, "Cursor", Counting)
    for number in (1, 12):
        for place in range(number):
            person(tenant, f"u{place}")
        choosing.rules_of([tenant.id])
        asked.clear()
        with counted() as made:
            assert funnel(tenant.id, EVERYBODY, **MARKETING, now=clock.now()).matched == number
        assert (len([sql for sql in asked if "audience_recipient" in sql]), len(made)) == (2, 0)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def too_late(*_: Any, **__: Any) -> Any:
        raise TookTooLong

    monkeypatch.setattr(counting, "ask_within", too_late)
    yield


@pytest.mark.usefixtures("late")
def test_what_takes_too_long_is_worked_out_from_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = acme()
    crowd(tenant, 60, clock.now(), Random(1))
    few = funnel(tenant.id, EVERYBODY, **MARKETING, now=clock.now())
    assert (few.matched, few.is_exact) == (60, True)
    monkeypatch.setattr(counting, "SAMPLED", 50)
    monkeypatch.setattr(counting, "_rows", lambda: 1.0)
    many = funnel(tenant.id, EVERYBODY, **MARKETING, now=clock.now())
    assert (many.matched, many.is_exact) == (60, True)
    monkeypatch.setattr(counting, "count", lambda *_, **__: Count(120, False))
    twice = funnel(tenant.id, EVERYBODY, **MARKETING, now=clock.now())
    assert (twice.matched, twice.is_exact) == (120, False)
    assert [one.has_address for one in twice.channels] == [2 * one.has_address for one in few.channels]
    assert sum(number for _, number in twice.zones) == 120


def test_examples_are_in_and_out_each_with_the_brains_words() -> None:
    tenant = acme()
    for name in ("in1", "in2", "in3", "blocked", "muted"):
        person(tenant, name)
    now = clock.now()
    muted = Recipient.objects.of(tenant).get(user_id="muted").id
    until = now + timedelta(days=1)
    Mute.objects.create(tenant_id=tenant.id, recipient_id=muted, topic="*", channel="*", until=until, source="x")
    Recipient.objects.of(tenant).filter(user_id="muted").update(preferences_version=1)
    Recipient.objects.of(tenant).filter(user_id="blocked").update(blocked_at=now)
    found = sample(tenant.id, EVERYBODY, channels=(Channel.IN_APP,), category=Category.MARKETING, now=now, most=4)
    assert [(one.user_id, one.is_in) for one in found] == [
        ("in1", True), ("in2", True), ("blocked", False), ("muted", False),
    ]  # fmt: skip
    assert found[0].lines == ("In-app would be sent at once.",)
    assert found[2].lines[0].startswith("In-app would be withheld: The recipient is blocked")
    assert "paused" in found[3].lines[0].lower() or "muted" in found[3].lines[0].lower()


def test_a_stored_rule_whose_field_is_gone_is_told_and_breaks_nothing_else() -> None:
    tenant = acme()
    fields.register(fields.Field("loyal", "Loyal", {"is": fields.Kind.BOOL}, lambda asked: "TRUE"))
    try:
        rules = {"all": [{"field": "loyal", "op": "is", "value": True}, {"list": "guests"}]}
        guests = keeping.create_segment(tenant_id=tenant.id, key="guests", name="Guests")
        keeping.create_segment(tenant_id=tenant.id, key="loyal", name="Loyal", rules=rules)
    finally:
        del fields._fields["loyal"]
    assert keeping.users_of(tenant.id, {guests.id}) == {guests.id: ["segment loyal"]}
    with pytest.raises(Problem) as caught:
        condition_of(tenant.id, {"any": [{"segment": "loyal"}]}, clock.now())
    assert caught.value.detail == "In the segment `loyal`: There is no field `loyal`. Did you mean `locale`?"
    assert caught.value.errors[0].pointer == "/any/0/segment"
    assert Segment.objects.of(tenant).count() == 2
