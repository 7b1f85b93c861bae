"""Waves: by clock, by share, by test; each person is in exactly one, wherever they move meanwhile."""

from datetime import UTC, date, datetime, timedelta

import pytest

from apps.audience.models import Recipient
from apps.campaigns import settling
from apps.campaigns.models import Wave
from apps.core import clock, ids
from apps.ledger.models import Notification
from tests.integration import admin_cast, dispatch_cast, templates_cast
from tests.integration import campaign_runs_cast as cast
from tests.integration.dispatch_cast import carrier as carrier  # a fixture
from tests.integration.dispatch_cast import rung as rung  # a fixture
from tests.integration.ingest_cast import Caller

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rung")]
# near enough for the partitions that are made ahead; none of these zones ever sets its clocks
FIRST, SECOND, THIRD, FOURTH = [clock.now().date() + timedelta(days=days) for days in (1, 2, 3, 4)]
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
    people = cast.people(acme, 60)
    spring = cast.campaign(acme, ramp=[10, 50, 100], ramp_minutes=30)
    cast.launch(spring)
    cast.begin()
    reached = []
    for _ in range(3):
        cast.expand(7)
        reached.append(len(cast.asked(cast.run_of(spring))))
        time.forward(minutes=30)

    assert 0 < reached[0] < reached[1] < reached[2] == 60
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
    assert 5 <= wave.held_out <= 40 and by_variant[0] > by_variant[1] > 15
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
    assert cast.status(spring) == ("running", "testing") and 10 < tried < 50
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


TRY = {"share": 40, "metric": "clicked", "wait_minutes": 60, "rule": "by_hand"}
CLOCKS = (("tok", "Asia/Tokyo"), ("lag", "Africa/Lagos"), ("no", ""), ("phx", "America/Phoenix"))


def tried_on_every_clock(acme, time, each=20, **fields):
    """Launched for SECOND; the run, and its people by clock."""
    templates_cast.publish(acme, "summer", templates_cast.email("<p>Summer {{ vars.unsubscribe_url }}</p>"))
    people = {user: cast.people(acme, each, prefix=user, timezone=zone) for user, zone in CLOCKS}
    spring = cast.campaign(acme, templates=("spring", "summer"), test=TRY, **{"schedule": NINE, **fields})
    cast.launch(spring)
    at(time, FIRST, "19:00:00")
    return spring, cast.run_of(spring), people


def by_clock(run, people):
    """How many of each have it."""
    found = set(cast.asked(run))
    return {user: len(found & set(those)) for user, those in people.items()}


def due(run, kind):
    return {w.zone: w.due_at for w in cast.waves(run) if w.kind == kind}


def test_variants_are_tried_on_every_clock_and_the_rest_gets_the_winner_a_day_later(acme, time):
    spring, run, people = tried_on_every_clock(acme, time)
    nine = {"Asia/Tokyo": "00:00", "Africa/Lagos": "08:00", "UTC": "09:00", "America/Phoenix": "16:00"}
    assert due(run, "test") == {zone: of(SECOND, text) for zone, text in nine.items()}
    assert due(run, "rest") == dict.fromkeys(nine)
    assert due(run, "sweep") == {"": None}

    at(time, SECOND, "15:59:59")
    tried = by_clock(run, people)
    assert tried["phx"] == 0 and all(0 < tried[user] < 20 for user in ("tok", "lag", "no"))
    assert cast.status(spring) == ("running", "running")
    at(time, SECOND, "16:00:00")
    tried = by_clock(run, people)
    assert 0 < tried["phx"] < 20 and cast.status(spring) == ("running", "testing")
    assert settling.tested_at(run) == of(SECOND, "16:00")

    time.now = of(SECOND, "17:00")
    assert settling.choose(run.id, acme.id, 1, time.now)
    assert due(run, "rest") == {zone: of(THIRD, text) for zone, text in nine.items()}
    assert due(run, "sweep") == {"": of(THIRD, "16:01")}
    for text, there in (("23:59:59", ()), ("00:00:00", ("tok",)), ("08:59:00", ("tok", "lag"))):
        at(time, SECOND if text > "17" else THIRD, text)
        assert by_clock(run, people) == {user: 20 if user in there else tried[user] for user in people}, text
    at(time, THIRD, "16:01:00")
    assert cast.asked(run) == sorted(id_ for those in people.values() for id_ in those)
    rows = Notification.objects.of(acme).filter(broadcast_id=run.id)
    assert rows.filter(variant=0).count() < sum(tried.values())
    assert rows.filter(variant=1).count() > 80 - sum(tried.values())
    assert cast.status(spring) == ("running", "sending")


def test_pages_and_the_api_say_when_the_rest_has_its_turn(acme, time):
    """Until somebody chose; then it has a time."""
    spring, run, _ = tried_on_every_clock(acme, time, each=6)
    at(time, SECOND, "16:00:00")
    where, client, caller = f"/admin/campaigns/run/{run.id}", admin_cast.mira(), Caller(acme)
    runs_of = f"/v1/campaigns/{ids.show(ids.CAMPAIGN, spring.id)}/runs"
    said = "at 09:00 of each one&#x27;s own day, after the winner is known"
    page = client.get(f"{where}/progress/").content.decode()
    assert said in page and "after the rest" in page and "later" not in page
    assert "It is then sent to the rest at 09:00 of their own day." in client.get(f"{where}/winner/").content.decode()
    shown = caller.get(runs_of).json()["data"][0]
    assert shown["rest_text"] == "The rest gets it at 09:00 of each one's own day, after the winner is known."

    chosen = client.post(f"{where}/winner/", {"variant": "1"}, follow=True).content.decode()
    assert "B was chosen: everybody else gets it at 09:00 of their own day." in chosen
    assert said not in client.get(f"{where}/progress/").content.decode()
    assert caller.get(runs_of).json()["data"][0]["rest_text"] is None


def test_where_the_time_of_the_rest_is_over_it_waits_for_the_next_day(acme, time):
    _, run, people = tried_on_every_clock(acme, time, each=6)
    at(time, SECOND, "16:00:00")
    tried = by_clock(run, people)
    time.now = of(THIRD, "08:30")
    assert settling.choose(run.id, acme.id, 0, time.now)
    assert due(run, "rest") == {
        "Asia/Tokyo": of(FOURTH, "00:00"),
        "Africa/Lagos": of(FOURTH, "08:00"),
        "UTC": of(THIRD, "09:00"),
        "America/Phoenix": of(THIRD, "16:00"),
    }
    at(time, THIRD, "08:59:59")
    assert by_clock(run, people) == tried
    at(time, FOURTH, "07:59:59")
    assert by_clock(run, people) == {user: tried[user] if user == "lag" else 6 for user in people}


def test_who_moves_while_variants_are_tried_gets_the_winner_once(acme, time):
    _, run, people = tried_on_every_clock(acme, time)
    at(time, SECOND, "16:00:00")
    trying = set(cast.asked(run))
    assert settling.choose(run.id, acme.id, 1, time.now)
    at(time, THIRD, "01:00:00")
    east, west = [[id_ for id_ in people[user] if id_ not in trying] for user in ("tok", "phx")]
    Recipient.objects.filter(id__in=west).update(timezone="Asia/Tokyo")
    Recipient.objects.filter(id__in=[*east, *trying]).update(timezone="America/Phoenix")

    at(time, THIRD, "16:00:30")
    assert not set(cast.asked(run)) & set(west)
    at(time, THIRD, "16:02:00")
    assert cast.asked(run) == sorted(id_ for those in people.values() for id_ in those)
    rows = Notification.objects.of(acme).filter(broadcast_id=run.id, recipient_id__in=west)
    assert set(rows.values_list("variant", flat=True)) == {1}
    sweep = cast.waves(run)[-1]
    assert (sweep.made, sweep.repeated) == (len(west), 80 - len(west))


def test_zones_where_it_is_over_and_that_get_nothing_try_nothing(acme, time):
    time.now = of(SECOND, "00:30")
    cast.people(acme, 4, prefix="tok", timezone="Asia/Tokyo")
    spring = cast.campaign(acme, templates=("spring", "spring"), test=TRY, schedule={**NINE, "past": "skip"})
    cast.launch(spring)
    cast.begin()
    run = cast.run_of(spring)
    waves = [(w.zone, w.kind, w.is_skipped, w.due_at) for w in cast.waves(run)]
    assert waves == [
        ("Asia/Tokyo", "main", True, of(SECOND, "00:30")),
        ("", "sweep", False, of(SECOND, "00:31")),
    ]
    at(time, SECOND, "00:31:00")
    assert [why for _, why in cast.fates(run)] == ["expired"] * 4
    assert cast.status(spring) == ("running", "sending")


def test_the_expiry_of_the_rest_counts_from_its_own_time(acme, time):
    _, run, people = tried_on_every_clock(acme, time, each=6, expires_after=timedelta(hours=2))
    at(time, SECOND, "16:00:00")
    assert settling.choose(run.id, acme.id, 0, time.now)
    tried = set(cast.asked(run))
    at(time, THIRD, "00:00:00")
    rest = [id_ for id_ in people["tok"] if id_ not in tried]
    rows = Notification.objects.of(acme).filter(broadcast_id=run.id, recipient_id__in=rest)
    assert set(rows.values_list("expires_at", flat=True)) == {of(THIRD, "02:00")}


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
    assert len(slices) == 7 and slices[0].first is None and slices[-1].upto is None
    assert [w.upto for w in slices[:-1]] == [w.first for w in slices[1:]]

    cast.expand(2)

    assert cast.asked(run) == people
    assert [w.seen for w in cast.waves(run)] == [3] * 7
    assert Wave.objects.of(acme).filter(done_at=None).count() == 0
    assert ids.time_of(run.id) is not None
