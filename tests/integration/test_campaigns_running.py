"""A run from its launch to its last message: the exact set of people, each once, whatever happens in between."""

from datetime import timedelta

import pytest
from django.db import connection

from apps.audience.models import Recipient
from apps.audience.segments import stored as segments
from apps.campaigns import expanding, launching, running
from apps.campaigns.models import Campaign, Run, Wave
from apps.core import ids
from apps.core.enums import Reason
from apps.ledger import broadcasts
from apps.ledger.models import Delivery, Notification
from tests.integration import campaign_runs_cast as cast
from tests.integration import dispatch_cast, templates_cast
from tests.integration.dispatch_cast import carrier as carrier  # a fixture
from tests.integration.dispatch_cast import rung as rung  # a fixture

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rung")]


@pytest.fixture
def acme():
    return cast.acme()


def test_everybody_gets_one_message_and_it_is_sent(acme, carrier):
    people = cast.people(acme, 7)
    spring = cast.campaign(acme)

    run = cast.started(spring, size=3)

    assert cast.asked(run) == people
    assert cast.fates(run) == [("queued", "")] * 7
    assert [(w.seen, w.made, w.held_out, w.repeated, w.done_at is not None) for w in cast.waves(run)] == [
        (7, 7, 0, 0, True)
    ]
    assert run.audience_size == 7
    cast.settle()
    assert cast.status(spring) == ("running", "sending")
    while dispatch_cast.send("send.marketing.email"):
        pass
    assert [m.content["html"].count("Spring is here, u") for m in carrier.messages] == [1] * 7
    assert cast.fates(run) == [("sent", "")] * 7
    cast.settle()
    assert cast.status(spring) == ("finished", "finished")
    assert dispatch_cast.left() == []


def test_all_of_a_run_is_one_range_of_ids(acme):
    people = cast.people(acme, 3)
    run = cast.started(cast.campaign(acme))

    found = Notification.objects.of(acme).filter(
        id__gte=broadcasts.begin_of(run.stamp), id__lte=broadcasts.end_of(run.stamp)
    )
    assert sorted(found.values_list("id", flat=True)) == sorted(
        broadcasts.notification_id(run.stamp, run.id, one) for one in people
    )
    deliveries = Delivery.objects.of(acme).filter(
        id__gte=broadcasts.begin_of(run.stamp), id__lte=broadcasts.end_of(run.stamp), variant=0
    )
    assert deliveries.count() == 3


def test_a_page_that_dies_leaves_nothing_and_comes_again(acme, monkeypatch):
    people = cast.people(acme, 5)
    spring = cast.campaign(acme)
    cast.launch(spring)
    cast.begin()
    cast.expand(2, most=1)
    run = cast.run_of(spring)
    before = cast.asked(run)

    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Wave, "save", die)
        with pytest.raises(KeyboardInterrupt):
            expanding.expand_next(cast.clock.now(), 2)
    assert (cast.asked(run), [w.cursor for w in cast.waves(run)]) == (before, [people[1]])

    cast.expand(2)
    assert cast.asked(run) == people


def test_a_cursor_that_was_lost_doubles_nobody(acme):
    people = cast.people(acme, 5)
    run = cast.started(cast.campaign(acme))
    Wave.objects.of(acme).update(cursor=None, done_at=None)
    rows = dispatch_cast.counts()

    assert cast.expand() == [5]

    assert cast.asked(run) == people
    assert dispatch_cast.counts() == rows


def test_a_campaign_fires_once_whoever_looks(acme):
    cast.people(acme, 2)
    spring = cast.campaign(acme)
    cast.launch(spring)
    cast.begin()
    Campaign.objects.filter(id=spring.id).update(status="scheduled", next_fire_at=cast.clock.now(), next_wall="now")
    cast.begin()

    assert Run.objects.of(acme).count() == 1


def test_who_was_excluded_left_or_came_late_gets_nothing(acme):
    cast.people(acme, 2, prefix="pro", attributes={"plan": "pro"})
    cast.people(acme, 2, prefix="free", attributes={"plan": "free"})
    pros = {"field": "attributes.plan", "op": "is", "value": "pro"}
    spring = cast.campaign(acme, audience={"include": pros, "exclude": {"users": ["pro1"]}}, schedule={"kind": "now"})
    cast.launch(spring)
    cast.begin()
    cast.people(acme, 1, prefix="late", attributes={"plan": "pro"})
    cast.expand()
    run = cast.run_of(spring)
    assert run.audience_size == 1
    names = Recipient.objects.of(acme).filter(id__in=cast.asked(run)).values_list("user_id", flat=True)
    assert sorted(names) == ["pro0"]


def test_somebody_who_leaves_before_their_page_gets_nothing(acme):
    people = cast.people(acme, 4, attributes={"plan": "pro"})
    spring = cast.campaign(acme, audience={"include": {"field": "attributes.plan", "op": "is", "value": "pro"}})
    cast.launch(spring)
    cast.begin()
    cast.expand(2, most=1)
    Recipient.objects.filter(id=people[3]).update(attributes={})

    cast.expand(2)

    assert cast.asked(cast.run_of(spring)) == people[:3]


def test_a_frozen_audience_is_that_of_the_launch(acme):
    people = cast.people(acme, 3, attributes={"plan": "pro"})
    audience = {"include": {"field": "attributes.plan", "op": "is", "value": "pro"}}
    tomorrow = {"kind": "at", "start": f"{cast.clock.now() + timedelta(days=1):%Y-%m-%dT%H:%M:%S}", "zone": "UTC"}
    spring = cast.campaign(acme, audience=audience, is_frozen=True, schedule=tomorrow)
    cast.launch(spring)
    cast.begin()
    cast.people(acme, 2, prefix="late", attributes={"plan": "pro"})
    Recipient.objects.filter(id=people[0]).update(attributes={})
    Campaign.objects.filter(id=spring.id).update(next_fire_at=cast.clock.now())

    cast.begin()
    cast.expand()

    assert cast.asked(cast.run_of(spring)) == people
    assert [s.key for s in segments.segments(acme.id, limit=10)] == []


def test_nobody_gets_two_campaigns_of_one_key(acme):
    first = cast.people(acme, 2)
    cast.started(cast.campaign(acme, send_once_key="spring-27"))
    cast.people(acme, 1, prefix="new")
    again = cast.started(cast.campaign(acme, name="Again", send_once_key="spring-27"))
    other = cast.started(cast.campaign(acme, name="Other", send_once_key="other"))

    assert cast.fates(again) == [("queued", ""), *[("skipped", "sent_before")] * len(first)]
    assert cast.fates(other) == [("queued", "")] * 3


def test_a_pause_stops_pages_and_messages_and_a_resume_goes_on(acme, carrier):
    cast.people(acme, 6)
    spring = cast.campaign(acme)
    cast.launch(spring)
    cast.begin()
    cast.expand(4, most=1)

    halted = launching.pause(campaign_id=spring.id, tenant_id=acme.id, by="mira", detail="A wrong price.")

    assert halted == launching.Halted(in_flight=0, taken=0, waiting=4)
    assert cast.expand() == []
    dispatch_cast.send("send.marketing.email")
    run = cast.run_of(spring)
    assert carrier.messages == []
    assert cast.fates(run) == [("held", "paused")] * 4
    assert (run.pause_reason, run.pause_detail, run.paused_by) == ("by_hand", "A wrong price.", "mira")
    assert dispatch_cast.claimed("send.marketing.email") == []

    launching.resume(campaign_id=spring.id, tenant_id=acme.id, by="mira")
    cast.expand()
    dispatch_cast.send("send.marketing.email")
    assert len(carrier.messages) == 6
    assert cast.fates(run) == [("sent", "")] * 6


def test_cancelling_ends_what_was_decided_on_and_leaves_the_others_alone(acme, carrier):
    people = cast.people(acme, 5)
    spring = cast.campaign(acme)
    cast.launch(spring)
    cast.begin()
    cast.expand(3, most=1)

    launching.cancel(campaign_id=spring.id, tenant_id=acme.id, by="mira")

    cast.expand()
    dispatch_cast.send("send.marketing.email")
    run = cast.run_of(spring)
    assert cast.asked(run) == people[:3]
    assert cast.fates(run) == [("cancelled", Reason.CANCELLED)] * 3
    assert carrier.messages == [] and dispatch_cast.left() == []
    assert cast.status(spring) == ("cancelled", "cancelled")


def test_a_promotion_that_is_over_is_not_sent(acme, carrier, monkeypatch):
    time = cast.Clock(monkeypatch)
    cast.people(acme, 2)
    spring = cast.campaign(acme, expires_after=timedelta(minutes=30))
    cast.launch(spring)
    cast.begin()
    cast.expand(1, most=1)
    time.forward(minutes=31)

    cast.expand()
    dispatch_cast.send("send.marketing.email")

    assert cast.fates(cast.run_of(spring)) == [("expired", "expired")] * 2
    assert carrier.messages == []


def test_a_throttle_makes_small_pages_with_time_between(acme, monkeypatch):
    time = cast.Clock(monkeypatch)
    people = cast.people(acme, 25)
    spring = cast.campaign(acme, throttle=600)
    cast.launch(spring)
    cast.begin()

    assert cast.expand() == [10]
    time.forward(seconds=0.9)
    assert cast.expand() == []
    time.forward(seconds=0.2)
    assert cast.expand() == [10]
    launching.set_throttle(campaign_id=spring.id, tenant_id=acme.id, per_minute=0)
    assert sum(cast.expand()) == 5
    assert cast.asked(cast.run_of(spring)) == people


def test_a_page_takes_the_same_statements_for_few_and_many(acme, django_assert_num_queries):
    cast.people(acme, 40)
    spring = cast.campaign(acme)
    cast.launch(spring)
    cast.begin()
    cast.expand(2, most=1)
    counts = []
    for size in (1, 30):
        with connection.execute_wrapper(lambda execute, *args: (counts.append(1), execute(*args))[1]):
            counts.clear()
            expanding.expand_next(cast.clock.now(), size)
            size_of = len(counts)
        assert size_of <= 12
    templates_cast.forget_kept()


@pytest.mark.parametrize(("people", "door"), [(10, "ask"), (11, "ask_on")])
def test_senders_are_rung_as_for_few_people_or_many(monkeypatch: pytest.MonkeyPatch, people: int, door: str) -> None:
    rung: list[tuple[str, ...]] = []
    for name in ("ask", "ask_on"):
        monkeypatch.setattr(running.ringer, name, lambda *queues, by=name: rung.append((by, *queues)))
    running.follow(expanding.Page(ids.new(), people, frozenset({"send.social.push", "send.social.email"})))
    assert rung == [(door, "send.social.email", "send.social.push")]
