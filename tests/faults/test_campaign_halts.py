"""Stop means stop for a campaign (E30): paused and cancelled while it is sent, by the provider's record; and everybody once on their own
clock, though workers die and people move between the waves."""

import json
import time
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from apps.channels.sandbox.record import read
from apps.core import ids
from tests.faults.conftest import SIZE, Experiment, begin_with
from tests.faults.test_campaigns import is_over, judged, run_of

pytestmark = pytest.mark.faults
PROCESSES = ("web", "beat", "bulk", "bulk-2", "marketing", "system")
PEOPLE, FEW = 20_000 * SIZE, 2_000 * SIZE
GRACE = 5.0
# what a deployed worker has, not what the other experiments shorten
AS_DEPLOYED = {"NOTIFIER_LEASE_SECONDS": "30", "DEADLINE": "15"}
_OWN = """SELECT d.id FROM ledger_delivery d JOIN ledger_notification n ON n.id = d.notification_id
    WHERE n.broadcast_id = %(run)s"""


def do(experiment: Experiment, deed: str, **asked: Any) -> Any:
    return json.loads(experiment.system.run("tests.faults.isolation_cast", json.dumps({"do": deed, **asked})))


def launched(experiment: Experiment, **asked: Any) -> dict[str, str]:
    said = {"throttle": 0, **asked}
    found: dict[str, str] = json.loads(experiment.system.run("tests.faults.campaign_cast", json.dumps(said)))
    return found


def sent_at(experiment: Experiment, run: Any) -> list[float]:
    """When the provider took each message of the run, in order."""
    own = {ids.show(ids.DELIVERY, id_) for (id_,) in experiment.system.query(_OWN, {"run": run})}
    return sorted(line.time for line in read(experiment.system.record) if line.taken and line.delivery in own)


@begin_with(*PROCESSES)
def test_e30_a_campaign_is_paused_and_cancelled_while_it_is_sent(experiment: Experiment) -> None:
    pause_and_cancel(experiment, PEOPLE)


def pause_and_cancel(experiment: Experiment, people: int) -> None:
    """Paused as soon as something was sent, when what is left would take seconds; cancelled when it has gone on for a moment."""
    system = experiment.system
    system.start("marketing", **AS_DEPLOYED)
    system.await_ready()
    made = launched(experiment, people=people, prefix=f"halted-{people}", throttle=0)
    try:
        assert system.wait(lambda: bool(system.query(_SENT, made)[0][0]), 60), run_of(experiment, made)
        run = run_of(experiment, made)[0]
        paused = do(experiment, "pause", **made)
        time.sleep(GRACE + 3)
        after_pause = [at for at in sent_at(experiment, run) if at > paused["at"]]
        # or nothing may be left to go on with
        assert len(after_pause) <= paused["in_flight"] + paused["taken"], {"sent_after_pause": len(after_pause)}
        before_resume = len(sent_at(experiment, run))

        do(experiment, "resume", **made)
        assert system.wait(lambda: len(sent_at(experiment, run)) >= before_resume + 1_000, 60), "it does not go on"
        cancelled = do(experiment, "cancel", **made)
        assert system.wait(lambda: system.query(_LEFT, made) == [(0,)], 60 * SIZE), "what was cancelled does not end"
        after_cancel = [at for at in sent_at(experiment, run) if at > cancelled["at"]]
    finally:
        system.query("DELETE FROM ledger_work_item WHERE tenant_id = %(tenant)s", made)
    statuses = dict(system.query(_STATUSES, {"run": run}))
    all_sent = len(sent_at(experiment, run))
    figures = {
        "in_flight_at_pause": paused["in_flight"],
        "taken_at_pause": paused["taken"],
        "waiting_at_pause": paused["waiting"],
        "sent_after_pause": len(after_pause),
        "last_after_pause_seconds": round(max(after_pause, default=paused["at"]) - paused["at"], 2),
        "in_flight_at_cancel": cancelled["in_flight"],
        "sent_after_cancel": len(after_cancel),
        "last_after_cancel_seconds": round(max(after_cancel, default=cancelled["at"]) - cancelled["at"], 2),
        "statuses": statuses,
    }
    found = {
        "too_late_after_pause": figures["last_after_pause_seconds"] > GRACE,
        "sent_after_cancel": len(after_cancel) > cancelled["in_flight"] + cancelled["taken"],
        "too_late_after_cancel": figures["last_after_cancel_seconds"] > GRACE,
        "not_as_recorded": statuses.get("sent", 0) + statuses.get("delivered", 0) != all_sent,
        "nothing_to_stop": not (paused["waiting"] and statuses.get("cancelled")),
        "other_ends": bool(set(statuses) - {"sent", "delivered", "cancelled", "skipped"}),
    }
    mistakes = {name: figures for name, is_wrong in found.items() if is_wrong}
    experiment.write(not mistakes, figures)
    assert not mistakes, mistakes


_SENT = """SELECT EXISTS (SELECT FROM ledger_delivery WHERE tenant_id = %(tenant)s AND status = 'sent')
    AND EXISTS (SELECT FROM ledger_work_item WHERE tenant_id = %(tenant)s)"""
_LEFT = "SELECT count(*) FROM ledger_work_item WHERE tenant_id = %(tenant)s"
# of people with the same address one gets it
_STATUSES = """SELECT CASE WHEN coalesce(d.reason, '') IN ('sent_before', 'cancelled', '') THEN d.status ELSE d.reason END, count(*)
    FROM ledger_delivery d JOIN ledger_notification n ON n.id = d.notification_id
    WHERE n.broadcast_id = %(run)s GROUP BY 1"""


@begin_with(*PROCESSES)
def test_e29_everybody_once_on_their_own_clock_though_people_move(experiment: Experiment) -> None:
    on_everybodys_clock(experiment, FEW)


def on_everybodys_clock(experiment: Experiment, people: int) -> None:
    """The time is over in all zones but one, where it comes a few seconds later; people move there and from there meanwhile. A minute after
    the last wave the run looks for those whom every wave has missed."""
    system = experiment.system
    crowd = {"people": people, "prefix": f"zones-{people}"}
    launched(experiment, **crowd, campaigns=0)
    start = datetime.now(ZoneInfo("America/New_York")) + timedelta(seconds=20)
    schedule = {"kind": "at", "start": f"{start:%Y-%m-%dT%H:%M:%S}", "zone": "recipient", "past": "send"}
    made = launched(experiment, **crowd, schedule=schedule)
    for name in ("bulk", "bulk-2"):
        system.wait(lambda: False, 1.0)
        system.kill(name)
    system.query(_MOVE, made)
    assert system.wait(lambda: is_over(experiment, made), 240 * SIZE), run_of(experiment, made)
    figures = judged(experiment, made)
    ((swept, repeated),) = system.query(
        "SELECT coalesce(sum(seen), 0)::int, coalesce(sum(repeated), 0)::int FROM campaigns_wave WHERE run_id = %(run)s AND kind = 'sweep'",
        {"run": run_of(experiment, made)[0]},
    )
    figures |= {"swept": swept, "missed_by_every_wave": swept - repeated}
    mistakes = mistakes_of(figures)
    if not swept:
        mistakes["nobody_swept"] = 1
    experiment.write(not mistakes, figures)
    assert not mistakes, mistakes


def mistakes_of(figures: dict[str, Any]) -> dict[str, int]:
    return {name: figures[name] for name in ("missing", "extra", "doubled", "same_address_twice") if figures[name]}


def killed_before_a_page_is_committed(experiment: Experiment, people: int) -> None:
    """E29 at its smallest."""
    system = experiment.system
    system.keep(*PROCESSES)
    system.end("bulk-2")
    system.start("bulk", FAULT="before_page_commit:kill:1")
    system.await_ready()
    made = launched(experiment, people=people, prefix=f"killed-{people}")
    system.await_death("bulk")
    assert system.wait(lambda: is_over(experiment, made), 120), run_of(experiment, made)
    mistakes = mistakes_of(judged(experiment, made))
    assert not mistakes, mistakes


_MOVE = """UPDATE audience_recipient SET timezone = CASE timezone WHEN 'America/New_York' THEN 'Europe/Berlin'
    WHEN 'Europe/Berlin' THEN 'America/New_York' ELSE timezone END
    WHERE tenant_id = %(tenant)s AND substr(user_id, 3)::int %% 7 = 0"""
