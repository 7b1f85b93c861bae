"""Deliveries that wait together: one open bundle for a key, with one flush."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from apps.channels.selectors import forget_cached
from apps.core import rows as sql
from apps.core.enums import Channel, Priority
from apps.events.models import EventType
from apps.events.selectors import forget_cached as forget_event_types
from apps.ledger.models import Bundle, BundleItem, Delivery, WorkItem
from apps.preferences.models import Preference
from tests.integration.dispatch_cast import endpoint, left, notify, people, person, route, states, tenant
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


@contextmanager
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """By hand, with server-side binding."""
    seen: list[str] = []
    real = sql.Cursor

    class Watching(real):  # type: ignore[valid-type, misc]
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            seen.append(query)
            return super().execute(query, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(sql, "Cursor", Watching)
        yield seen
