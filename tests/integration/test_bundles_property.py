"""Whatever happens in whatever order: each message ends exactly once, sent, in one summary, or with its own reason."""

from collections import Counter
from contextlib import suppress
from time import monotonic
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from apps.audience.models import Recipient
from apps.channels.selectors import forget_cached
from apps.core import clock
from apps.core.enums import Channel, WorkKind
from apps.dispatch.flushing import flush_bundles
from apps.dispatch.rescue import rescue
from apps.dispatch.route_batch import route_batch
from apps.events.selectors import forget_cached as forget_event_types
from apps.ledger import flushing as ledger
from apps.ledger import work
from apps.ledger.balance import troubles
from apps.ledger.models import Bundle, Delivery, Notification, WorkItem
from apps.ledger.selectors import notifications
from apps.ledger.services import NothingToDoError, cancel_notification
from apps.preferences.models import Preference
from apps.routing.digests import digest_of
from tests.integration.bundles_cast import like, liked
from tests.integration.dispatch_cast import LEASE, Carrier, claimed, lapse_leases, people, send, soon, tenant
from tests.integration.dispatch_cast import carrier as carrier  # a fixture
from tests.integration.dispatch_cast import rung as rung  # a fixture

pytestmark = pytest.mark.django_db
LATER = 10
OVER = {"sent", "merged", "skipped", "expired", "cancelled"}
KINDS = ("post.liked", "post.shared", "news")
STATEMENTS = ("write_summaries", "end_items", "let_go", "close_bundles")

arrival = st.tuples(
    st.just("arrive"), st.integers(0, 1), st.sampled_from(KINDS), st.sampled_from(["p1", "p2"]), st.integers(0, 3)
)
step = st.one_of(
    arrival,
    arrival,
    st.tuples(st.just("route")),
    st.tuples(st.just("flush")),
    st.tuples(st.just("die"), st.sampled_from(STATEMENTS)),
    st.tuples(st.just("cancel"), st.integers(0, 50)),
    st.tuples(st.just("expire"), st.integers(0, 50)),
    st.tuples(st.just("choose"), st.integers(0, 1), st.sampled_from(KINDS), st.sampled_from(["off", "on", "daily"])),
    st.tuples(st.just("send")),
)


class Died(Exception):
    """A worker, in the middle of its transaction."""


class World:
    """What a run does. `made`: what was asked for."""

    def __init__(self) -> None:
        self.people = people(2)
        self.made: list[UUID] = []
        like(group_most=4, group_leads=True)
        like("post.shared", name="Shares", group_by="type", group_most=3)
        like("news", name="News", group_by="", group_window_seconds=0)

    def do(self, what: str, *how: Any) -> None:
        getattr(self, what)(*how)

    def arrive(self, who: int, kind: str, about: str, actor: int) -> None:
        self.made += liked(self.people[who], about=about, first=actor, event_type=kind)

    def route(self) -> None:
        """What is due, as a worker would: flushes are not, unless they are full."""
        while works := claimed("route.social") or work.claim_lone(queue="route.social", lease=LEASE):
            for handle, kind in ((route_batch, WorkKind.ROUTE), (flush_bundles, WorkKind.FLUSH)):
                if theirs := [w for w in works if w.kind == kind]:
                    handle(theirs, monotonic() + 60)

    def flush(self) -> None:
        Bundle.objects.all_tenants().filter(closed_at=None).update(opened_at=soon(-200_000), flush_at=soon(-1))
        make_all_due()
        self.route()

    def die(self, statement: str) -> None:
        with mock.patch.object(ledger, statement, side_effect=Died), suppress(Died), transaction.atomic():
            self.flush()

    def cancel(self, place: int) -> None:
        if self.made:
            with suppress(NothingToDoError):
                cancel_notification(tenant_id=tenant(), notification_id=self.made[place % len(self.made)], by="api")

    def expire(self, place: int) -> None:
        if self.made:
            one = Notification.objects.of(tenant()).filter(id=self.made[place % len(self.made)])
            one.update(expires_at=soon(-1))

    def choose(self, who: int, kind: str, what: str) -> None:
        Preference.objects.update_or_create(
            tenant_id=tenant(),
            recipient_id=self.people[who],
            topic=kind,
            channel="email",
            defaults={"is_on": what != "off", "digest": "daily" if what == "daily" else ""},
        )
        person = Recipient.objects.of(tenant()).get(id=self.people[who])
        Recipient.objects.of(tenant()).filter(id=person.id).update(preferences_version=person.preferences_version + 1)

    def send(self) -> None:
        make_all_due()
        send(f"send.social.{Channel.EMAIL}")

    def finish(self) -> None:
        for _ in range(LATER):
            lapse_leases()
            rescue()
            self.flush()
            self.send()
            if not WorkItem.objects.all_tenants().exists():
                return
        raise AssertionError(list(WorkItem.objects.all_tenants().values_list("kind", "phase")))


def make_all_due() -> None:
    """By the clock of a transaction that began long ago."""
    WorkItem.objects.all_tenants().update(due_at=soon(-3600))


def check(world: World, carrier: Carrier) -> None:
    rows = list(Delivery.objects.of(tenant()).values("id", "notification_id", "status", "reason", "merged_into"))
    by_notification = {row["notification_id"]: row for row in rows}
    assert len(rows) == len(by_notification)
    cancelled_before = set(world.made) - by_notification.keys()
    assert Notification.objects.of(tenant()).count() == len(rows) + len(cancelled_before)
    assert {row["status"] for row in rows} <= OVER, rows
    assert all(row["reason"] for row in rows if row["status"] not in {"sent"})
    summed = Counter(row["merged_into"] for row in rows if row["status"] == "merged")
    summaries = set(Notification.objects.of(tenant()).filter(source="summary").values_list("id", flat=True))
    assert set(summed) == summaries
    for id_, n in notifications(list(summaries)).items():
        digest = digest_of(n.data)
        assert digest is not None and digest.total == summed[id_]
    sent = [row["id"] for row in rows if row["status"] == "sent"]
    assert len(carrier.messages) == len(sent) == len({message.delivery for message in carrier.messages})
    assert not Bundle.objects.of(tenant()).filter(closed_at=None).exists()
    assert troubles(now=clock.now()) == []


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(step, min_size=5, max_size=25))
def test_each_message_ends_exactly_once(steps: list[tuple[Any, ...]], carrier: Carrier, rung: list[str]) -> None:
    carrier.calls.clear()
    with transaction.atomic():
        forget_cached()
        forget_event_types()
        world = World()
        for one in steps:
            world.do(*one)
        world.finish()
        check(world, carrier)
        transaction.set_rollback(True)
