"""Stop means stop (E30), at full width: a campaign goes through slow providers, people say no to it in every way there is, single
messages are cancelled, its template is rolled back, and Redis forgets everything, twice.

Judged from the providers' records against the moment when each change had been answered.
"""

import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest

from apps.core import ids
from tests.faults.conftest import SIZE, Experiment, begin_with
from tests.faults.crowd import Crowd

pytestmark = pytest.mark.faults
COUNT, EACH_WAY, PACE = (5_000, 5, 1) if SIZE == 1 else (100_000, 50, 4)
MESSAGES_EACH = 20
GRACE = 5.0
# what a deployed worker has, not what the other experiments shorten
AS_DEPLOYED = {"NOTIFIER_LEASE_SECONDS": "30", "DEADLINE": "15"}
_LEFT = """SELECT count(*) FROM ledger_work_item w JOIN ledger_notification n ON n.id = w.notification_id
    WHERE n.object_id = %(run)s"""
_WAITING = f"""{_LEFT.replace("count(*)", "n.id")} AND w.phase = 0 ORDER BY random() LIMIT 1"""
_ENDS = """SELECT n.id, r.user_id, d.channel, d.status, d.reason FROM ledger_notification n
    JOIN audience_recipient r ON r.id = n.recipient_id LEFT JOIN ledger_delivery d ON d.notification_id = n.id
    WHERE n.object_id = %(run)s"""
_VERSIONS = """SELECT a.id, a.template_version FROM ledger_attempt a JOIN ledger_delivery d ON d.id = a.delivery_id
    JOIN ledger_notification n ON n.id = d.notification_id WHERE n.object_id = %(run)s AND a.template_version > 0"""


@contextmanager
def slowed(trial: Experiment) -> Iterator[None]:
    """Mails go out fifty a second, texts as many (at length four times that): what is judged together would take ten seconds."""
    assert trial.outside
    trial.system.query("UPDATE channels_provideraccount SET is_on = false WHERE key = 'vonage'")
    size = """UPDATE channels_provideraccount SET settings = settings || '{"batch_size": 50}' WHERE key = 'postmark'"""
    trial.system.query(size)
    time.sleep(2.1)
    trial.outside.control("postmark", {"delay": 1.0 / PACE})
    trial.outside.control("twilio", {"delay": 0.32 / PACE})
    try:
        yield
    finally:
        trial.system.query(
            "UPDATE channels_provideraccount SET settings = settings - 'batch_size' WHERE key = 'postmark'"
        )


@begin_with("web", "system", "beat")
def test_e30_no_by_every_way_while_providers_are_slow(trial: Experiment, seed: int) -> None:
    with slowed(trial):
        run_campaign(trial, random.Random(seed), COUNT, EACH_WAY)


def run_campaign(slow: Experiment, chance: random.Random, count: int, each_way: int) -> None:
    """While so many notifications go out, so many people say no in each way, and as many messages twice are cancelled."""
    system, producer = slow.system, slow.producer
    crowd = Crowd(slow, count // MESSAGES_EACH)
    # its own: nothing was sent with it that a new version would change
    template = re.sub("[^a-z0-9]+", "-", f"campaign-{slow.name}")
    _publish_twice(crowd, template)
    system.start("marketing", **AS_DEPLOYED)
    system.await_ready()
    bodies = crowd.bodies(count, template)

    def run() -> None:
        for start in range(0, count, 500):
            producer.batch(bodies[start : start + 500])

    campaign = Thread(target=run)
    campaign.start()
    assert system.wait(crowd.has_begun, 60)

    plan = [*crowd.ways] * each_way + ["cancel"] * 2 * each_way
    chance.shuffle(plan)
    places = {len(plan) // 4: "forget", len(plan) // 2: "roll_back", 3 * len(plan) // 4: "forget"}
    cancelled: set[str] = set()
    rolled_back_at = 0.0
    for place, way in enumerate(plan):
        time.sleep(chance.uniform(0.05, 0.6) / PACE)
        if places.get(place) == "forget":
            system.redis().flushall()
        elif places.get(place) == "roll_back":
            assert crowd.ask("POST", f"/v1/templates/{template}/rollback", {"version": 1}).ok
            rolled_back_at = time.time()
        if way != "cancel":
            crowd.ways[way]()
        elif (shown := _somebody_waiting(slow)) and crowd.cancel(shown):
            cancelled.add(shown)
    ((left,),) = system.query(_LEFT, {"run": slow.name})
    campaign.join()
    slow.settle(120)

    late, versions = crowd.late(), _versions_after(slow, rolled_back_at)
    ends = system.query(_ENDS, {"run": slow.name})
    withheld = Counter(reason for *_, status, reason in ends if status == "skipped")
    slow.figures |= {
        "said_no": len(crowd.noes),
        "cancelled": len(cancelled),
        "open_at_the_last_no": left,
        "withheld": dict(withheld),
        "sent_after_a_no": len(late),
        "latest_seconds": round(max(late)[0], 2) if late else 0.0,
        "latest_way": max(late)[1] if late else "",
        "rolled_back_version_sent_for_seconds": round(max(versions[2], default=0.0), 2),
    }
    mistakes: dict[str, list[Any]] = {
        "too_late": [one for one in late if one[0] > GRACE],
        "rolled_back_too_late": [seconds for seconds in versions[2] if seconds > GRACE],
        "unexplained": _unexplained(crowd, ends, cancelled),
        "not_one_delivery_each": [] if len(ends) == len({id_ for id_, *_ in ends}) == count else [len(ends)],
    }
    if any(mistakes.values()):
        slow.write(False, {name: len(found) for name, found in mistakes.items()})
    assert not any(mistakes.values()), {name: found[:3] for name, found in mistakes.items() if found}
    slow.check_outside(skipped=sum(withheld.values()), cancelled=len(cancelled))
    assert left > 0
    assert crowd.outside.events(slow.name)["cancelled"] == len(cancelled) > 0
    assert versions[1]
    assert set(withheld) >= {"topic_off", "muted", "suppressed"}


def _publish_twice(crowd: Crowd, template: str) -> None:
    for number in (1, 2):
        content = {"subject": f"Offer {number}", "html": "<p>{{ data.number }}, {{ vars.unsubscribe_url }}</p>"}
        body = {"name": "Campaign", "sample": {"number": 1}, "variants": [{"channel": "email", "content": content}]}
        for method, path in (("PUT", ""), ("POST", "/publish")):
            answer = crowd.ask(method, f"/v1/templates/{template}{path}", body if method == "PUT" else None)
            assert answer.ok, answer.text


def _somebody_waiting(trial: Experiment) -> str:
    rows = trial.system.query(_WAITING, {"run": trial.name})
    return ids.show(ids.NOTIFICATION, rows[0][0]) if rows else ""


def _versions_after(trial: Experiment, moment: float) -> dict[int, list[float]]:
    """By the template's version: how many seconds after that moment mails went out with it."""
    assert trial.outside
    versions = {
        ids.show(ids.ATTEMPT, id_): version for id_, version in trial.system.query(_VERSIONS, {"run": trial.name})
    }
    found: dict[int, list[float]] = {1: [], 2: []}
    for line in trial.outside.lines("postmark"):
        if line.reference in versions and line.time > moment:
            found[versions[line.reference]].append(line.time - moment)
    return found


def _unexplained(crowd: Crowd, ends: list[tuple[Any, ...]], cancelled: set[str]) -> list[tuple[Any, ...]]:
    """What ended otherwise than it was asked for, or for a reason that nobody gave."""
    found = []
    for id_, user, channel, status, reason in ends:
        no = crowd.noes.get(int(user.rpartition("_")[2]))
        if ids.show(ids.NOTIFICATION, id_) in cancelled:
            # without a delivery where it was not routed yet: then the notification's own story says it
            is_explained = (status, reason) in {("cancelled", "cancelled"), (None, None)}
        elif status == "skipped":
            is_explained = no is not None and channel in no.channels and reason in no.reasons
        else:
            is_explained = status == "sent"
        if not is_explained:
            found.append((user, channel, status, reason, no and no.way))
    return found
