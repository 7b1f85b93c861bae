"""Deliveries that wait together: one open bundle for a key, with one flush."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from apps.audience.models import Recipient
from apps.channels.selectors import forget_cached
from apps.core import clock
from apps.core.enums import Channel, Priority
from apps.events.models import EventType
from apps.events.selectors import forget_cached as forget_event_types
from apps.ledger.models import Bundle, BundleItem, Delivery, WorkItem
from apps.preferences.models import Preference, Profile
from tests.integration.bundles_cast import flush, statements, summaries
from tests.integration.dispatch_cast import (
    endpoint,
    left,
    make_due,
    notify,
    people,
    person,
    route,
    soon,
    states,
    tenant,
)
from tests.integration.dispatch_cast import rung as rung  # a fixture

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh(rung: list[str]) -> None:
    forget_cached()
    forget_event_types()


def like(**fields: Any) -> None:
    grouping = {"group_by": "object", "group_window_seconds": 600, "group_most": 5}
    EventType.objects.create(tenant_id=tenant(), key="post.liked", name="Likes", category="social", **grouping | fields)


def liked(recipient: Any, count: int = 1, object_id: str = "post1", **fields: Any) -> list[Any]:
    content = {"title": "Hello", "body": "Ann likes it."}
    return [
        notify([recipient], category="social", event_type="post.liked", object_id=object_id, actor_id=f"a{n}",
               content=content, **fields)[0]
        for n in range(count)
    ]  # fmt: skip


def test_they_wait_without_work_in_one_bundle(rung: list[str]) -> None:
    like()
    rosa = person()
    endpoint(rosa)
    liked(rosa, 3)
    assert route("social") == 3
    assert states() == [("email", "held", "grouped")] * 3
    bundle = Bundle.objects.of(tenant()).get()
    assert (bundle.kind, bundle.key, bundle.channel, bundle.category, bundle.mode, bundle.event_type) == (
        *("group", "post.liked/post1", "email", "social", "test", "post.liked"),
    )
    assert (bundle.count, bundle.most, bundle.closed_at) == (3, 5, None)
    items = BundleItem.objects.of(tenant())
    assert {i.delivery_id for i in items} == {d.id for d in Delivery.objects.of(tenant())}
    work = WorkItem.objects.of(tenant()).get()
    assert (work.id, work.queue, work.kind, work.due_at, work.channel) == (
        *(bundle.id, "route.social", "flush", bundle.flush_at, "email"),
    )
    assert rung == []


def test_as_many_as_are_allowed_are_summed_up_at_once(rung: list[str]) -> None:
    like()
    rosa = person()
    endpoint(rosa)
    liked(rosa, 4)
    route("social")
    planned = WorkItem.objects.of(tenant()).get().due_at
    assert rung == []
    liked(rosa)
    route("social")
    assert WorkItem.objects.of(tenant()).get().due_at < planned
    assert rung == ["route.social"]


def test_the_first_one_leads(rung: list[str]) -> None:
    like(group_leads=True)
    rosa = person()
    mail = endpoint(rosa)
    first, second = liked(rosa, 2)
    route("social")
    assert states() == [("email", "held", "grouped"), ("email", "queued", "")]
    assert Delivery.objects.of(tenant()).get(status="queued").notification_id == first
    assert Delivery.objects.of(tenant()).get(status="queued").endpoint_id == mail
    assert BundleItem.objects.of(tenant()).get().notification_id == second
    assert left() == [("route.social", 0), ("send.social.email", 0)]
    liked(rosa)
    route("social")
    assert Bundle.objects.of(tenant()).get().count == 3
    assert len(states()) == 3 and BundleItem.objects.of(tenant()).count() == 2


def test_each_recipient_object_and_channel_has_its_own() -> None:
    like()
    rosa, otto = people(2)
    liked(rosa, channels=[Channel.EMAIL, Channel.IN_APP])
    liked(rosa, object_id="post2")
    liked(otto)
    route("social")
    assert Bundle.objects.of(tenant()).count() == 4
    assert set(Bundle.objects.of(tenant()).values_list("count", flat=True)) == {1}


def test_a_digest_collects_what_the_recipient_wants_in_it() -> None:
    rosa = person()
    endpoint(rosa)
    Preference.objects.create(
        tenant_id=tenant(), recipient_id=rosa, topic="*", channel="email", is_on=True, digest="daily"
    )
    notify([rosa])
    notify([rosa], event_type="order.shipped", content={"body": "x"}, priority=Priority.HIGH)
    route()
    assert states() == [("email", "held", "in_digest")] * 2
    bundle = Bundle.objects.of(tenant()).get()
    assert (bundle.kind, bundle.key, bundle.count, bundle.event_type) == ("digest", "daily", 2, "")
    assert left() == [("route.transactional", 0)]


@pytest.mark.parametrize("count", [1, 50])
def test_joining_is_one_statement(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    like()
    for recipient in people(count):
        liked(recipient, 2)
    with statements(monkeypatch) as seen:
        route("social")
    assert sum("ledger_bundle" in text for text in seen) == 1
    assert Bundle.objects.of(tenant()).count() == count


def test_it_costs_nothing_where_nothing_is_bundled(monkeypatch: pytest.MonkeyPatch) -> None:
    rosa = person()
    endpoint(rosa)
    notify([rosa])
    with statements(monkeypatch) as seen:
        route()
    assert not [text for text in seen if "ledger_bundle" in text]


def wants_it_at(recipient: Any, hour: int) -> None:
    Preference.objects.get_or_create(
        tenant_id=tenant(), recipient_id=recipient, topic="*", channel="email", is_on=True, digest="daily"
    )
    Profile.objects.update_or_create(tenant_id=tenant(), recipient_id=recipient, defaults={"digest_hour": hour})
    Recipient.objects.of(tenant()).filter(id=recipient).update(preferences_version=F("preferences_version") + 1)


def test_an_earlier_hour_counts_from_the_next_that_joins() -> None:
    rosa = person()
    endpoint(rosa)
    this = clock.now().hour
    wants_it_at(rosa, (this + 5) % 24)
    notify([rosa])
    route()
    planned = WorkItem.objects.of(tenant()).get().due_at
    wants_it_at(rosa, (this + 3) % 24)
    notify([rosa])
    route()
    assert WorkItem.objects.of(tenant()).get().due_at == planned - timedelta(hours=2)
    assert Bundle.objects.of(tenant()).get().flush_at == planned - timedelta(hours=2)
    wants_it_at(rosa, (this + 8) % 24)
    notify([rosa])
    route()
    assert WorkItem.objects.of(tenant()).get().due_at == planned - timedelta(hours=2)
    assert Bundle.objects.of(tenant()).get().count == 3


def test_who_moves_west_while_it_waits_gets_it_at_the_new_hour() -> None:
    rosa = person()
    endpoint(rosa)
    opened = clock.now() - timedelta(hours=20)
    wants_it_at(rosa, clock.now().hour)
    notify([rosa])
    route()
    Bundle.objects.of(tenant()).update(opened_at=opened, flush_at=soon(-1))
    make_due()
    Recipient.objects.of(tenant()).filter(id=rosa).update(timezone="Etc/GMT+3")
    assert flush("transactional") == 1
    assert summaries() == []
    until = Bundle.objects.of(tenant()).get().flush_at
    assert timedelta(hours=2) <= until - clock.now().replace(minute=0, second=0, microsecond=0) <= timedelta(hours=3)
    assert WorkItem.objects.of(tenant()).get().due_at == until
