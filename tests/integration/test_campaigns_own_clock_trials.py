"""Variants tried on everybody's own clock: the rest has its time on a later day, once the winner is known."""

from datetime import timedelta

import pytest

from apps.audience.models import Recipient
from apps.campaigns import launching, settling
from apps.core import ids
from apps.ledger.models import Notification
from tests.integration import admin_cast, templates_cast
from tests.integration import campaign_runs_cast as cast
from tests.integration.dispatch_cast import rung as rung  # a fixture
from tests.integration.ingest_cast import Caller
from tests.integration.test_campaigns_waves import FIRST, NINE, SECOND, THIRD, at, of
from tests.integration.test_campaigns_waves import acme as acme  # a fixture
from tests.integration.test_campaigns_waves import time as time  # a fixture

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rung")]
FOURTH = THIRD + timedelta(days=1)
TRY = {"share": 40, "metric": "clicked", "wait_minutes": 60, "rule": "by_hand"}
CLOCKS = (("tok", "Asia/Tokyo"), ("lag", "Africa/Lagos"), ("no", ""), ("phx", "America/Phoenix"))


def tried_on_every_clock(acme, time, each=40, **fields):
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
    assert tried["phx"] == 0 and all(0 < tried[user] < 40 for user in ("tok", "lag", "no"))
    assert cast.status(spring) == ("running", "running")
    at(time, SECOND, "16:00:00")
    tried = by_clock(run, people)
    assert 0 < tried["phx"] < 40 and cast.status(spring) == ("running", "testing")
    assert settling.tested_at(run) == of(SECOND, "16:00")

    time.now = of(SECOND, "17:00")
    assert settling.choose(run.id, acme.id, 1, time.now)
    assert due(run, "rest") == {zone: of(THIRD, text) for zone, text in nine.items()}
    assert due(run, "sweep") == {"": of(THIRD, "16:01")}
    for text, there in (("23:59:59", ()), ("00:00:00", ("tok",)), ("08:59:00", ("tok", "lag"))):
        at(time, SECOND if text > "17" else THIRD, text)
        assert by_clock(run, people) == {user: 40 if user in there else tried[user] for user in people}, text
    at(time, THIRD, "16:01:00")
    assert cast.asked(run) == sorted(id_ for those in people.values() for id_ in those)
    rows = Notification.objects.of(acme).filter(broadcast_id=run.id)
    assert rows.filter(variant=0).count() < sum(tried.values())
    assert rows.filter(variant=1).count() > 160 - sum(tried.values())
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
    assert (sweep.made, sweep.repeated) == (len(west), 160 - len(west))


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


@pytest.mark.parametrize(("until", "tokyo"), [("00:59", of(THIRD, "00:00")), ("01:01", of(FOURTH, "00:00"))])
def test_a_pause_over_the_time_of_the_rest_puts_it_off_to_the_next_day(acme, time, until, tokyo):
    """Who was begun with goes on; who has their time to come keeps it."""
    spring, run, people = tried_on_every_clock(acme, time, each=6)
    at(time, SECOND, "16:00:00")
    tried = by_clock(run, people)
    time.now = of(SECOND, "17:00")
    assert settling.choose(run.id, acme.id, 1, time.now)
    launching.pause(campaign_id=spring.id, tenant_id=acme.id, by="mira")
    at(time, THIRD, until)
    launching.resume(campaign_id=spring.id, tenant_id=acme.id, by="mira")
    nine = {"Africa/Lagos": of(THIRD, "08:00"), "UTC": of(THIRD, "09:00"), "America/Phoenix": of(THIRD, "16:00")}
    assert due(run, "rest") == {"Asia/Tokyo": tokyo, **nine}
    assert due(run, "sweep") == {"": max(tokyo, of(THIRD, "16:00")) + timedelta(minutes=1)}
    at(time, THIRD, until)
    assert by_clock(run, people) == {**tried, "tok": 6 if tokyo < time.now else tried["tok"]}
    at(time, FOURTH, "00:00:00")
    assert by_clock(run, people) == dict.fromkeys(people, 6)


def test_a_pause_while_a_zone_is_written_puts_off_nothing_of_it(acme, time):
    spring, run, _ = tried_on_every_clock(acme, time, each=6)
    at(time, SECOND, "16:00:00")
    assert settling.choose(run.id, acme.id, 1, time.now)
    time.now = of(THIRD, "00:00")
    assert len(cast.expand(1, 1)) == 1
    launching.pause(campaign_id=spring.id, tenant_id=acme.id, by="mira")
    time.now = of(THIRD, "05:00")
    launching.resume(campaign_id=spring.id, tenant_id=acme.id, by="mira")
    assert due(run, "rest")["Asia/Tokyo"] == of(THIRD, "00:00")


def test_the_expiry_of_the_rest_counts_from_its_own_time(acme, time):
    _, run, people = tried_on_every_clock(acme, time, each=6, expires_after=timedelta(hours=2))
    at(time, SECOND, "16:00:00")
    assert settling.choose(run.id, acme.id, 0, time.now)
    tried = set(cast.asked(run))
    at(time, THIRD, "00:00:00")
    rest = [id_ for id_ in people["tok"] if id_ not in tried]
    rows = Notification.objects.of(acme).filter(broadcast_id=run.id, recipient_id__in=rest)
    assert set(rows.values_list("expires_at", flat=True)) == {of(THIRD, "02:00")}
