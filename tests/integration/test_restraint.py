"""Random choices, events, faults of providers and passing time, through the real pipeline: nobody gets by a channel what they do not want
there at that moment, nothing comes in quiet hours, nothing is sent of which a receipt has told the end, and whatever was accepted ends with
a send or with a reason.

RESTRAINT_RUNS=200 looks longer, and elsewhere each time. Otherwise what is drawn depends on the modules that are loaded: what the whole
suite sees, `pytest tests -k whatever_happens` sees too, and this file alone does not.
"""

import os
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.db.models import F
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from apps.core import clock, ids
from apps.core.enums import Category, Channel, DigestFrequency, EventKind, OutcomeKind
from apps.core.types import Author, Change, Mute, OutboundMessage, Outcome, OwnQuietHours, QuietHours, Receipt, Switch
from apps.dispatch import draining
from apps.dispatch.fallback import after_receipts
from apps.events.models import EventType
from apps.events.selectors import forget_cached as forget_event_types
from apps.ledger.models import Attempt, Bundle, Delivery, Notification, WorkItem
from apps.ledger.receipts import record
from apps.ledger.services import NothingToDoError, cancel_notification
from apps.preferences.changing import change_choices
from tests.integration.dispatch_cast import ACCEPTED, Carrier, endpoint, notify, person, tenant
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.doubts_cast import ADDRESS, later

RUNS = int(os.environ.get("RESTRAINT_RUNS", "0"))
pytestmark = [pytest.mark.django_db, pytest.mark.timeout(20 * RUNS or 120)]
PUSH, EMAIL, SMS, IN_APP = Channel
BUSY = Outcome(OutcomeKind.TRANSIENT, "503")
SAYS = [
    ACCEPTED,
    BUSY,
    Outcome(OutcomeKind.AMBIGUOUS, "read_timeout"),
    Outcome(OutcomeKind.REJECTED, "bad_request"),
]
KINDS: dict[str, dict[str, Any]] = {
    "order.shipped": {"category": "transactional", "fallback": ["push", "sms"], "fallback_after_seconds": 120},
    "post.liked": {"category": "social", "group_by": "object", "group_window_seconds": 600, "group_most": 3},
    "post.shared": {"category": "social", "overflows": True},
    "offer": {"category": "marketing"},
}
NEWS = [EventKind.DELIVERED, EventKind.OPENED, EventKind.BOUNCED, EventKind.FAILED]
TO_BE_SENT = {"queued", "held", "unknown"}
ENDS = {"sent", "delivered", "skipped", "failed", "bounced", "expired", "cancelled", "unknown", "merged"}
topics = st.sampled_from(["*", "post.*", "order.*", *KINDS, *(f"category:{c}" for c in Category)])
channels = st.sampled_from([*(c.value for c in Channel), "*"])
soon = st.sampled_from([1, 61, 700, 3_600])


class Restraint(RuleBasedStateMachine):
    carrier: Carrier

    @initialize()
    def begin(self) -> None:
        self.atom = transaction.atomic()
        self.atom.__enter__()
        forget_event_types()
        for key, fields in KINDS.items():
            EventType.objects.create(tenant_id=tenant(), key=key, name=key, **fields)
        self.rosa = person(f"rosa {ids.new()}")
        for channel in (PUSH, EMAIL, SMS):
            endpoint(self.rosa, channel, ADDRESS[channel])
        self.asked: list[UUID] = []
        self.cancelled: set[UUID] = set()
        self.cells: dict[tuple[str, str], bool] = {}
        self.mutes: set[tuple[str, str]] = set()
        self.blocked = False
        self.is_night = False
        self.wrong: list[str] = []
        self.carrier.says = [ACCEPTED]
        self.carrier.during = self.look

    def teardown(self) -> None:
        if hasattr(self, "atom"):
            try:
                if not transaction.get_rollback():
                    self.end()
            finally:
                transaction.set_rollback(True)
                self.atom.__exit__(None, None, None)

    @rule(
        kind=st.sampled_from(list(KINDS)),
        wish=st.sets(st.sampled_from(Channel), min_size=1),
        about=st.sampled_from(["p1", "p2"]),
        actor=st.sampled_from(["ann", "ben"]),
    )
    def ask(self, kind: str, wish: set[Channel], about: str, actor: str) -> None:
        said = {
            "category": Category(KINDS[kind]["category"]),
            "event_type": kind,
            "object_id": about,
            "actor_id": actor,
        }
        content = {"title": "a", "body": "b"}
        self.asked += notify([self.rosa], channels=sorted(wish), content=content, **said)

    @rule(
        kind=st.sampled_from(list(KINDS)),
        wish=st.sampled_from([PUSH, EMAIL, SMS]),
        no=st.sampled_from(["off", "night"]),
    )
    def refuse_what_is_on_its_way(self, kind: str, wish: Channel, no: str) -> None:
        """Routed, and then not wanted before it is sent."""
        self.ask(kind, {wish}, "p3", "cem")
        draining.drain(f"route.{KINDS[kind]['category']}")
        if no == "off":
            self.choose(kind, wish.value, "off")
        else:
            self.sleep(True)
        self.work(1)

    @rule(wish=st.sampled_from([PUSH, EMAIL, SMS]))
    def ask_critical(self, wish: Channel) -> None:
        self.asked += notify([self.rosa], channels=[wish], category=Category.CRITICAL)

    @rule(topic=topics, channel=channels, state=st.sampled_from(["on", "off", "off", "hourly", None]))
    def choose(self, topic: str, channel: str, state: str | None) -> None:
        if state is None:
            self.cells.pop((topic, channel), None)
            return self.change(Change(cleared=frozenset({(topic, channel)})))
        self.cells[topic, channel] = state != "off"
        digest = DigestFrequency.HOURLY if state == "hourly" else None
        return self.change(Change(switches=(Switch(topic, channel, state != "off", digest),)))

    @rule(topic=topics, channel=channels, is_muted=st.booleans())
    def mute(self, topic: str, channel: str, is_muted: bool) -> None:
        if is_muted:
            self.mutes.add((topic, channel))
            return self.change(Change(muted=(Mute(topic, channel, clock.now() + timedelta(days=9)),)))
        self.mutes.discard((topic, channel))
        return self.change(Change(unmuted=frozenset({(topic, channel)})))

    @rule(is_night=st.booleans())
    def sleep(self, is_night: bool) -> None:
        self.is_night = is_night
        now = clock.now()
        minute = now.hour * 60 + now.minute
        night = (QuietHours((minute - 120) % 1_440, (minute + 240) % 1_440),) if is_night else ()
        self.change(Change(quiet_hours=OwnQuietHours(night)))

    @rule(blocked=st.booleans())
    def block(self, blocked: bool) -> None:
        self.blocked = blocked
        self.change(Change(blocked_actors=frozenset({"ann"} if blocked else ())))

    @rule(says=st.sampled_from(SAYS))
    def trouble(self, says: Outcome) -> None:
        self.carrier.says = [says]

    @rule(which=st.integers(0, 30), kind=st.sampled_from(NEWS))
    def hear(self, which: int, kind: EventKind) -> None:
        """What a provider says later, whatever it answered."""
        made = list(Attempt.objects.of(tenant()).exclude(account="inbox").order_by("id").values_list("account", "id"))
        if made:
            account, attempt = made[which % len(made)]
            news = Receipt(f"{ids.new()}", kind, clock.now(), reference=ids.show(ids.ATTEMPT, attempt))
            after_receipts(record([(account, news)]).applied)

    @rule(kind=st.sampled_from(list(KINDS)), wish=st.sampled_from([PUSH, EMAIL, SMS]), news=st.sampled_from(NEWS))
    def hear_of_what_is_tried_again(self, kind: str, wish: Channel, news: EventKind) -> None:
        """The provider was busy, and has taken it all the same."""
        self.ask(kind, {wish}, "p4", "dan")
        self.trouble(BUSY)
        draining.drain(f"route.{KINDS[kind]['category']}")
        self.work(1)
        self.hear(-1, news)
        self.trouble(ACCEPTED)

    @rule(which=st.integers(0, 30))
    def cancel(self, which: int) -> None:
        if self.asked:
            id_ = self.asked[which % len(self.asked)]
            try:
                cancel_notification(tenant_id=tenant(), notification_id=id_, by="mira")
            except NothingToDoError:
                return
            self.cancelled.add(id_)

    @rule(seconds=soon)
    def work_again(self, seconds: int) -> None:
        self.work(seconds)

    @rule(seconds=soon)
    def work(self, seconds: int = 0) -> None:
        later(seconds)
        # the wait for a proof of arrival begins here
        Delivery.objects.all_tenants().update(sent_at=F("sent_at") - timedelta(seconds=seconds))
        Bundle.objects.all_tenants().update(flush_at=F("flush_at") - timedelta(seconds=seconds))
        for queue in sorted(set(WorkItem.objects.all_tenants().values_list("queue", flat=True)), reverse=True):
            draining.drain(queue)

    @invariant()
    def nothing_unwanted_came(self) -> None:
        assert getattr(self, "wrong", []) == []

    def end(self) -> None:
        """Morning comes, providers are well, and a day goes by."""
        self.sleep(False)
        self.carrier.says = [ACCEPTED]
        for _ in range(24):
            self.work(3_600)
        self.nothing_unwanted_came()
        rows = Delivery.objects.all_tenants().filter(recipient_id=self.rosa)
        found = list(rows.values_list("notification_id", "status", "reason"))
        assert {id_ for id_, _, _ in found} >= set(self.asked) - self.cancelled
        assert [row for row in found if row[1] not in ENDS] == []
        assert [row for row in found if row[1] not in {"sent", "delivered", "merged", "cancelled"} and not row[2]] == []
        # a doubt may wait for a receipt; nothing else is left
        assert self.left() == []

    def left(self) -> list[str]:
        """All work that is open, that of summaries and bundles too, with what became of the deliveries that it is about."""
        rows = Delivery.objects.of(tenant())
        return [
            f"{w.kind} in {w.queue} for {w.channel or 'all'}, phase {w.phase}, tries {w.tries}, due {w.due_at}: "
            f"{list(rows.filter(notification_id=w.notification_id).values_list('channel', 'status', 'reason'))}"
            for w in WorkItem.objects.of(tenant()).exclude(kind="doubt")
        ]

    def look(self, messages: Any) -> None:
        """What a provider is handed, at that moment."""
        for message in messages:
            self.wrong += self.objections(message)

    def objections(self, message: OutboundMessage) -> list[str]:
        delivery = Delivery.objects.all_tenants().get(id=ids.read(ids.DELIVERY, message.delivery))
        sent = Notification.objects.all_tenants().get(id=delivery.notification_id)
        over = [] if delivery.status in TO_BE_SENT else [f"{delivery.status} already: by {delivery.channel}"]
        if sent.category == Category.CRITICAL:
            return over
        summed = Delivery.objects.all_tenants().filter(merged_into=sent.id).values_list("notification_id", flat=True)
        behind = list(Notification.objects.all_tenants().filter(id__in=list(summed))) or [sent]
        what = f"{sent.source} {sent.event_type} by {delivery.channel}"
        said = over
        if not any(self.wants(one.event_type, one.category, delivery.channel) for one in behind):
            said.append(f"unwanted: {what}")
        if self.is_night:
            said.append(f"in quiet hours: {what}")
        if self.blocked and sent.actor_id == "ann":
            said.append(f"of a blocked actor: {what}")
        return said

    def wants(self, event_type: str, category: str, channel: str) -> bool:
        """By the letter of docs/preferences.md."""
        ladder = [event_type, f"{event_type.partition('.')[0]}.*", f"category:{category}", "*"]
        if any((topic, name) in self.mutes for topic in ladder for name in (channel, "*")):
            return False
        places = [(topic, name) for topic in ladder for name in (channel, "*")]
        return next((self.cells[place] for place in places if place in self.cells), True)

    def change(self, wanted: Change) -> None:
        change_choices(tenant_id=tenant(), recipient_id=self.rosa, change=wanted, by=Author("settings_page"))


@pytest.fixture
def machine(carrier: Carrier, rung: list[str], monkeypatch: pytest.MonkeyPatch) -> type[Restraint]:
    monkeypatch.setattr(draining, "close_old_connections", lambda: None)
    return type("Run", (Restraint,), {"carrier": carrier})


def test_a_day_ends_the_wait_for_a_proof(machine: type[Restraint]) -> None:
    run = machine()
    run.begin()
    run.ask("order.shipped", {PUSH}, "p1", "ben")
    run.teardown()
    assert [message.channel for message in machine.carrier.messages] == [PUSH, SMS]


def test_whatever_happens(machine: type[Restraint]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=RUNS or 6,
            stateful_step_count=25 if RUNS else 15,
            deadline=None,
            derandomize=not RUNS,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
