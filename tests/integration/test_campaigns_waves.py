"""Waves: by clock, by share, by test; each person is in exactly one, wherever they move meanwhile."""

from datetime import UTC, date, datetime, timedelta

import pytest

from apps.audience.models import Recipient
from apps.campaigns import settling
from apps.campaigns.models import Wave
from apps.core import clock, ids
from apps.ledger import broadcasts
from apps.ledger.models import Delivery, Notification
from tests.integration import campaign_runs_cast as cast
from tests.integration import dispatch_cast, templates_cast
from tests.integration.dispatch_cast import carrier as carrier  # a fixture
from tests.integration.dispatch_cast import rung as rung  # a fixture

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rung")]
# near enough for the partitions that are made ahead; none of these zones ever sets its clocks
FIRST, SECOND, THIRD = [clock.now().date() + timedelta(days=days) for days in (1, 2, 3)]
NINE = {"kind": "at", "start": f"{SECOND}T09:00:00", "zone": "recipient"}


def of(day: date, time: str) -> datetime:
    return datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=UTC)


@pytest.fixture
def acme():
    return cast.acme()


@pytest.fixture
def time(monkeypatch):
    return cast.Clock(monkeypatch, of(FIRST, "12:00"))


def at(time, day, text):
    time.now = of(day, text)
    cast.begin()
    cast.expand()
    cast.settle()


def names(run):
    rows = Recipient.objects.filter(id__in=cast.asked(run)).order_by("user_id")
    return list(rows.values_list("user_id", flat=True))


def test_everybody_gets_it_at_nine_on_their_own_clock(acme, time):
    for user, zone in (("tok", "Asia/Tokyo"), ("lag", "Africa/Lagos"), ("phx", "America/Phoenix"), ("no", "")):
        cast.people(acme, 1, prefix=user, timezone=zone)
    spring = cast.campaign(acme, schedule=NINE)
    cast.launch(spring)
    spring.refresh_from_db()
    assert spring.next_fire_at == of(FIRST, "19:00"), "nine o'clock on Kiritimati"

    at(time, FIRST, "19:00:00")
    run = cast.run_of(spring)
    assert [(w.zone, w.kind, w.size, w.due_at) for w in cast.waves(run)] == [
        ("Asia/Tokyo", "main", 1, of(SECOND, "00:00")),
        ("Africa/Lagos", "main", 1, of(SECOND, "08:00")),
        ("UTC", "main", 1, of(SECOND, "09:00")),
        ("America/Phoenix", "main", 1, of(SECOND, "16:00")),
        ("", "sweep", None, of(SECOND, "16:01")),
    ]
    assert names(run) == []
    at(time, SECOND, "00:00:00")
    assert names(run) == ["tok0"]
    at(time, SECOND, "08:00:00")
    assert names(run) == ["lag0", "tok0"]
    at(time, SECOND, "16:01:00")
    assert names(run) == ["lag0", "no0", "phx0", "tok0"]
    assert cast.status(spring) == ("running", "sending")


def test_who_moves_behind_the_waves_is_swept_up_and_who_moves_ahead_gets_it_once(acme, time):
    east = cast.people(acme, 1, prefix="east", timezone="Asia/Tokyo")[0]
    west = cast.people(acme, 1, prefix="west", timezone="America/Phoenix")[0]
    spring = cast.campaign(acme, schedule=NINE)
    cast.launch(spring)
    at(time, SECOND, "01:00:00")
    Recipient.objects.filter(id=east).update(timezone="America/Phoenix")
    Recipient.objects.filter(id=west).update(timezone="Asia/Tokyo")

    at(time, SECOND, "16:00:30")
    run = cast.run_of(spring)
    assert cast.asked(run) == [east]
    at(time, SECOND, "16:02:00")
    assert cast.asked(run) == sorted([east, west])
    assert [(w.zone, w.made, w.repeated) for w in cast.waves(run) if w.seen] == [
        ("Asia/Tokyo", 1, 0),
        ("America/Phoenix", 0, 0),
        ("", 1, 1),
    ]


@pytest.mark.parametrize(
    ("past", "when", "reason"),
    [("send", of(SECOND, "00:30"), ""), ("next_day", of(THIRD, "00:00"), ""), ("skip", of(SECOND, "00:30"), "expired")],
)
def test_zones_where_it_is_over_at_the_launch(acme, time, past, when, reason):
    cast.people(acme, 1, timezone="Asia/Tokyo")
    time.now = of(SECOND, "00:30")
    spring = cast.campaign(acme, schedule={**NINE, "past": past})
    cast.launch(spring)
    cast.begin()
    run = cast.run_of(spring)
    assert [w.due_at for w in cast.waves(run) if w.zone] == [when]
    at(time, THIRD, "00:01:30")
    assert [why for _, why in cast.fates(run)] == [reason]


def test_a_ramp_goes_up_step_by_step_and_everybody_is_in_one_step(acme, time):
    people = cast.people(acme, 200)
    spring = cast.campaign(acme, ramp=[10, 50, 100], ramp_minutes=30)
    cast.launch(spring)
    cast.begin()
    reached = []
    for _ in range(3):
        cast.expand(23)
        reached.append(len(cast.asked(cast.run_of(spring))))
        time.forward(minutes=30)

    assert 0 < reached[0] < reached[1] < reached[2] == 200
    assert cast.asked(cast.run_of(spring)) == people


def test_variants_share_the_people_and_hold_some_out(acme):
    templates_cast.publish(acme, "summer", templates_cast.email("<p>Summer {{ vars.unsubscribe_url }}</p>"))
    people = cast.people(acme, 200)
    spring = cast.campaign(acme, templates=("spring", "summer"), weights=(3, 1), holdout=10)
    run = cast.started(spring)

    wave = cast.waves(run)[0]
    rows = Notification.objects.of(acme).filter(broadcast_id=run.id)
    by_variant = [rows.filter(variant=0).count(), rows.filter(variant=1).count()]
    assert wave.seen == 200 and wave.made == sum(by_variant) == 200 - wave.held_out
    assert 1 <= wave.held_out <= 60 and by_variant[0] > by_variant[1] > 15
    assert set(rows.values_list("variant", "template_key")) == {(0, "spring"), (1, "summer")}
    again = cast.started(cast.campaign(acme, templates=("spring", "summer"), weights=(3, 1), holdout=10))
    assert set(cast.asked(again)) != set(cast.asked(run)), "another campaign holds out others"
    assert set(cast.asked(run)) < set(people)


def test_the_rest_gets_the_winner(acme, time):
    templates_cast.publish(acme, "summer", templates_cast.email("<p>Summer {{ vars.unsubscribe_url }}</p>"))
    people = cast.people(acme, 100)
    test = {"share": 30, "metric": "clicked", "wait_minutes": 60, "rule": "by_hand"}
    spring = cast.campaign(acme, templates=("spring", "summer"), test=test)
    cast.launch(spring)
    cast.begin()
    cast.expand()
    cast.settle()
    run = cast.run_of(spring)
    tried = len(cast.asked(run))
    assert cast.status(spring) == ("running", "testing") and 5 < tried < 60
    assert settling.tested_at(run) == time.now

    assert settling.choose(run.id, acme.id, 1, time.now)
    assert not settling.choose(run.id, acme.id, 0, time.now)
    cast.expand()
    cast.settle()

    assert cast.asked(run) == people
    rest = [w for w in cast.waves(run) if w.kind == "rest"]
    assert [(w.made, w.done_at is not None) for w in rest] == [(100 - tried, True)]
    assert Notification.objects.of(acme).filter(broadcast_id=run.id, variant=1).count() > 100 - tried
    assert cast.status(spring) == ("running", "sending")


def test_a_recurring_campaign_runs_once_for_each_of_its_times(acme, time, carrier):
    people = cast.people(acme, 2)
    daily = {"kind": "recurring", "start": f"{SECOND}T09:00:00", "zone": "UTC", "rule": "FREQ=DAILY;COUNT=2"}
    spring = cast.campaign(acme, schedule=daily)
    cast.launch(spring)
    at(time, SECOND, "09:00:00")
    first = cast.run_of(spring)
    while dispatch_cast.send("send.marketing.email"):
        pass
    cast.settle()
    assert cast.status(spring) == ("scheduled", "finished")
    at(time, THIRD, "09:00:00")
    second = cast.run_of(spring)
    while dispatch_cast.send("send.marketing.email"):
        pass
    cast.settle()

    assert (first.number, second.number) == (1, 2)
    assert cast.asked(first) == cast.asked(second) == people
    assert cast.status(spring) == ("finished", "finished")
    assert len(carrier.messages) == 4


def test_a_large_wave_is_cut_into_slices_that_together_are_the_whole(acme, monkeypatch):
    monkeypatch.setattr("apps.campaigns.preparing.SLICED_FROM", 10)
    people = cast.people(acme, 21)
    spring = cast.campaign(acme)
    cast.launch(spring)
    cast.begin()
    run = cast.run_of(spring)
    slices = cast.waves(run)
    assert len(slices) == 8 and slices[0].first is None and slices[-1].upto is None
    assert [w.upto for w in slices[:-1]] == [w.first for w in slices[1:]]

    cast.expand(2)

    assert cast.asked(run) == people
    assert [w.seen for w in cast.waves(run)] == [3, 3, 2, 3, 2, 3, 2, 3]
    assert Wave.objects.of(acme).filter(done_at=None).count() == 0


@pytest.mark.parametrize(
    ("key", "pages"), [("", [2, 4, 4, 1]), ("spring-2027", [2, 3, 3, 3, 0])], ids=["together", "one by one"]
)
def test_a_wave_begins_with_a_small_page(acme, monkeypatch, key, pages):
    for name, size in {"FIRST_PAGE": 2, "PAGE": 4, "PAGE_APART": 3}.items():
        monkeypatch.setattr(f"apps.campaigns.expanding.{name}", size)
    people = cast.people(acme, 11)
    spring = cast.campaign(acme, send_once_key=key)
    cast.launch(spring)
    cast.begin()

    assert cast.expand() == pages
    assert cast.asked(cast.run_of(spring)) == people


@pytest.mark.parametrize("key", ["", "spring-2027"], ids=["together", "one by one"])
def test_those_who_are_written_together_have_ids_that_stand_together(acme, monkeypatch, key):
    monkeypatch.setattr("apps.campaigns.preparing.SLICED_FROM", 10)
    monkeypatch.setattr("apps.campaigns.preparing.CUTS", 6)
    people = sorted(cast.people(acme, 20))
    run = cast.started(cast.campaign(acme, send_once_key=key))

    assert run.cuts == people[3:19:4]
    found = dict(Notification.objects.of(acme).values_list("recipient_id", "id"))
    assert found == {one: broadcasts.notification_id(run.stamp, run.id, one, run.cuts) for one in people}
    # six bytes of time, then the part that somebody is in
    assert [found[one].bytes[7] for one in people] == [0] * 3 + [1] * 4 + [2] * 4 + [3] * 4 + [4] * 5
    deliveries = dict(Delivery.objects.of(acme).values_list("notification_id", "id"))
    assert {id_: deliveries[id_].bytes[:8] for id_ in deliveries} == {id_: id_.bytes[:8] for id_ in found.values()}
    assert len(set(deliveries.values())) == 20
    assert ids.time_of(run.id) is not None
