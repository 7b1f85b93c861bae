"""A campaign whose workers are killed again and again while its audience is edited, or whose PostgreSQL dies: the exact set of people,
nobody twice (E29)."""

import json
from collections import Counter
from typing import Any

import pytest

from apps.channels.sandbox.record import read
from apps.core import ids
from tests.faults.conftest import SIZE, Experiment, begin_with

pytestmark = pytest.mark.faults
PROCESSES = ("web", "beat", "bulk", "bulk-2", "marketing", "system", "critical", "transactional")
PEOPLE = 56_000 * SIZE
KILLS = 8 * SIZE
MISTAKES = ("missing", "extra", "doubled", "same_address_twice", "mailed_twice", "mailed_unknown_to_the_ledger")


def launched(experiment: Experiment, **asked: Any) -> dict[str, str]:
    said = {"people": PEOPLE, "throttle": 0, "prefix": "crowd", **asked}
    found: dict[str, str] = json.loads(experiment.system.run("tests.faults.campaign_cast", json.dumps(said)))
    return found


def run_of(experiment: Experiment, made: dict[str, str]) -> tuple[Any, ...]:
    """(id, status, audience size)"""
    rows = experiment.system.query(
        "SELECT id, status, audience_size FROM campaigns_run WHERE campaign_id = %(campaign)s", made
    )
    return rows[0] if rows else (None, "", None)


def is_expanded(experiment: Experiment, made: dict[str, str]) -> bool:
    return run_of(experiment, made)[1] in ("sending", "finished")


def is_over(experiment: Experiment, made: dict[str, str]) -> bool:
    return bool(run_of(experiment, made)[1] == "finished")


def edit(experiment: Experiment, made: dict[str, str], number: int) -> None:
    """Ten come to the segment who were there when it fired, ten leave it, ten are new to the house."""
    query = experiment.system.query
    query(
        """UPDATE audience_recipient SET attributes = jsonb_build_object('plan', 'none', 'edited', true, 'first_name', 'Gone')
        WHERE tenant_id = %(tenant)s AND substr(user_id, 3)::int %% 1000 = %(n)s AND user_id LIKE 'c\\_%%'""",
        {**made, "n": 101 + 10 * number},
    )
    query(
        """INSERT INTO audience_recipient (id, created_at, updated_at, tenant_id, user_id, locale, timezone, attributes,
            preferences_version)
        SELECT uuidv7(), now(), now(), %(tenant)s, 'late_' || %(n)s || '_' || g, 'en', '', '{"plan": "pro", "first_name": "Late"}', 0
        FROM generate_series(1, 10) g""",
        {**made, "n": number},
    )


def judged(experiment: Experiment, made: dict[str, str]) -> dict[str, Any]:
    query, run = experiment.system.query, run_of(experiment, made)
    asked = {**made, "run": run[0]}
    ((notifications, people),) = query(
        "SELECT count(*), count(DISTINCT recipient_id) FROM ledger_notification WHERE broadcast_id = %(run)s", asked
    )
    ((missing,),) = query(
        """SELECT count(*) FROM audience_recipient r WHERE r.tenant_id = %(tenant)s AND r.user_id LIKE 'c\\_%%'
            AND r.attributes ->> 'plan' IN ('pro', 'free') AND NOT EXISTS (
            SELECT FROM ledger_notification n WHERE n.broadcast_id = %(run)s AND n.recipient_id = r.id)""",
        asked,
    )
    ((extra,),) = query(
        """SELECT count(*) FROM ledger_notification n JOIN audience_recipient r ON r.id = n.recipient_id
        WHERE n.broadcast_id = %(run)s AND (r.user_id LIKE 'late\\_%%'
            OR r.attributes ->> 'plan' = 'none' AND NOT r.attributes ? 'edited')""",
        asked,
    )
    ((twice,),) = query(
        """SELECT count(*) FROM (SELECT e.address_hash FROM ledger_delivery d
            JOIN ledger_notification n ON n.id = d.notification_id JOIN audience_endpoint e ON e.id = d.endpoint_id
            WHERE n.broadcast_id = %(run)s AND d.status IN ('sent', 'delivered', 'unknown', 'queued')
            GROUP BY 1 HAVING count(*) > 1) x""",
        asked,
    )
    statuses = dict(
        query(
            """SELECT d.status || coalesce(nullif('/' || d.reason, '/'), ''), count(*) FROM ledger_delivery d
            JOIN ledger_notification n ON n.id = d.notification_id WHERE n.broadcast_id = %(run)s GROUP BY 1""",
            asked,
        )
    )
    taken = Counter(line.delivery for line in read(experiment.system.record) if line.taken)
    known = {
        ids.show(ids.DELIVERY, id_): broadcast
        for id_, broadcast in query(
            "SELECT d.id, n.broadcast_id FROM ledger_delivery d JOIN ledger_notification n ON n.id = d.notification_id"
        )
    }
    ((seconds,),) = query(
        "SELECT extract(epoch FROM max(created_at) - min(created_at)) FROM ledger_notification WHERE broadcast_id = %(run)s",
        asked,
    )
    return {
        "audience": run[2],
        "people": people,
        "doubled": notifications - people,
        "same_address_twice": twice,
        "missing": missing,
        "extra": extra,
        "mailed_twice": sum(number > 1 for id_, number in taken.items() if known.get(id_) == run[0]),
        "mailed_unknown_to_the_ledger": len(set(taken) - set(known)),
        "statuses": statuses,
        "rows_per_s": round(notifications / float(seconds or 1)),
    }


@begin_with(*PROCESSES)
def test_campaign_killed_again_and_again_while_its_audience_changes(experiment: Experiment) -> None:
    system = experiment.system
    system.start("bulk", FAULT="before_page_commit:kill:3")
    system.start("bulk-2", FAULT="after_page_commit:kill:4")
    system.await_ready()
    made = launched(experiment, throttle=60 * PEOPLE // 15)
    for number in range(KILLS):
        system.wait(lambda: False, 1.5)
        edit(experiment, made, number)
        system.kill(("bulk", "bulk-2", "marketing")[number % 3])
        with system.redis() as client:
            client.flushall()
    assert system.wait(lambda: is_expanded(experiment, made), 120 * SIZE), run_of(experiment, made)
    assert system.wait(lambda: is_over(experiment, made), 180 * SIZE), run_of(experiment, made)

    figures = judged(experiment, made)
    deaths = {name: system.processes[name].deaths for name in ("bulk", "bulk-2", "marketing")}
    experiment.figures.update(deaths=deaths)
    is_pass = not any(figures[mistake] for mistake in MISTAKES)
    experiment.write(is_pass, figures)
    assert is_pass, figures
    assert all(deaths.values()), "nobody was killed"
    assert set(figures["statuses"]) <= {"sent", "unknown/in_doubt", "skipped/sent_before"}, figures


@begin_with(*PROCESSES)
def test_campaign_whose_postgres_dies(experiment: Experiment) -> None:
    """A page's commit does not wait for the disk: what a death takes away is written anew, and no mail of it had gone out."""
    system = experiment.system
    made = launched(experiment, throttle=60 * PEOPLE // 15, prefix="crash")
    for _ in range(4):
        system.wait(lambda: False, 2.5)
        system.servers.postgres.kill()
        system.servers.postgres.restart()
    assert system.wait(lambda: is_expanded(experiment, made), 120 * SIZE), run_of(experiment, made)
    assert system.wait(lambda: is_over(experiment, made), 180 * SIZE), run_of(experiment, made)

    figures = judged(experiment, made)
    is_pass = not any(figures[mistake] for mistake in MISTAKES)
    experiment.write(is_pass, figures)
    assert is_pass, figures
    assert set(figures["statuses"]) <= {"sent", "unknown/in_doubt", "skipped/sent_before"}, figures
