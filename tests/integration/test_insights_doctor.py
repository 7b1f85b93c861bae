"""The doctor: a sound world has nothing to mend; each way to break servers and work is found, and said how to mend it."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError
from django_celery_beat.models import PeriodicTask

from apps.core import clock, ids
from apps.core.redis import RedisError, quick
from apps.dispatch import signs_of_life
from apps.insights import doctor
from apps.insights.checkups import flow, servers
from apps.insights.models import Probe
from apps.ledger.models import WorkItem
from apps.receipts.models import ReceiptCall
from tests.integration.dispatch_cast import notify, person, tenant
from tests.integration.doctor_cast import findings, only
from tests.integration.doctor_cast import world as world

pytestmark = pytest.mark.django_db


def test_a_sound_world_has_nothing_to_mend(world: Any) -> None:
    found = findings()
    assert findings("fail") == {}
    assert set(findings("warn")) <= {"webhooks"}
    assert set(found) == {
        "database", "migrations", "durability", "partitions", "redis", "workers", "beat", "clock", "transactions", "account acme-mail",
        "webhooks", "public url", "receipts", "lanes", "ledger", "silence",
    }  # fmt: skip
    assert found["database"].startswith("PostgreSQL 18")


def test_a_dead_database_is_said_and_the_rest_still_examined(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(sql: str, *parameters: object) -> Any:
        raise DatabaseError("connection refused\nmore")

    monkeypatch.setattr(servers, "_ask", away)
    found = list(doctor.examine(clock.now()))
    assert [(one.level, one.about) for one in found] == [("fail", "database"), ("ok", "redis"), ("ok", "workers")]
    assert (found[0].said, found[0].fix) == (
        "It does not answer: connection refused",
        "Start PostgreSQL, or mend DATABASE_URL.",
    )


@pytest.mark.parametrize(
    ("sql", "answer", "about"),
    [
        ("SHOW server_version_num", "170004", "database"),
        ("SHOW fsync", "never", "durability"),
        ("SELECT to_regclass(%s)::text", None, "partitions"),
    ],
)
def test_an_unsafe_database(world: Any, monkeypatch: pytest.MonkeyPatch, sql: str, answer: Any, about: str) -> None:
    ask = servers._ask
    monkeypatch.setattr(servers, "_ask", lambda asked, *rest: answer if asked == sql else ask(asked, *rest))
    assert only("fail")[0] == about


def test_missing_migrations(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Behind(servers.MigrationExecutor):
        def migration_plan(self, targets: Any, clean_start: bool = False) -> Any:
            return [(self.loader.graph.nodes["ledger", "0001_initial"], False)]

    monkeypatch.setattr(servers, "MigrationExecutor", Behind)
    about, said = only("fail")
    assert (about, said) == (
        "migrations",
        "1 are not applied: ledger.0001_initial. | Run manage.py migrate, then restart every process.",
    )


@pytest.mark.parametrize(("seconds", "level"), [(11, "warn"), (61, "fail")])
def test_a_silent_beat(world: Any, seconds: int, level: str) -> None:
    PeriodicTask.objects.filter(name="tick").update(last_run_at=clock.now() - timedelta(seconds=seconds))
    about, said = only(level)
    assert about == "beat"
    assert said.startswith(f"Last heard of {seconds} s ago")


def test_a_beat_that_never_was(world: Any) -> None:
    PeriodicTask.objects.all().delete()
    assert only("fail") == ("beat", "It was never heard of. | Start it: celery -A notifier beat.")


def test_a_queue_without_worker(world: Any) -> None:
    quick().delete("worker:send.critical.sms", "worker:receipts")
    about, said = only("fail")
    assert about == "workers"
    assert said.startswith("No worker serves send.critical.sms, receipts. | Start the workers of its pool")


def test_redis_away(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def ping(self) -> None:
            raise RedisError("away")

        def mget(self, keys: object) -> None:
            raise RedisError("away")

    for module in (servers, signs_of_life):
        monkeypatch.setattr(module, "quick", Away)
    assert findings("fail")["redis"].startswith("It does not answer (RedisError)")
    assert findings("warn")["workers"] == "Nobody can tell without Redis."


def test_redis_full(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers.bells, "is_reachable", lambda: False)
    assert only("fail")[0] == "redis"


@pytest.mark.parametrize(("seconds", "level"), [(3, "warn"), (-31, "fail")])
def test_clocks_apart(world: Any, monkeypatch: pytest.MonkeyPatch, seconds: int, level: str) -> None:
    now = clock.now

    class Skewed:
        @staticmethod
        def now() -> Any:
            return now() + timedelta(seconds=seconds)

    monkeypatch.setattr(servers, "clock", Skewed)
    about, said = only(level)
    assert about == "clock"
    assert said.startswith(f"This host is {abs(seconds)}.0 s {'ahead of' if seconds > 0 else 'behind'} the database.")


@pytest.mark.parametrize(("seconds", "level"), [(90, "warn"), (700, "fail")])
def test_receipts_that_wait(world: Any, seconds: int, level: str) -> None:
    due = clock.now() - timedelta(seconds=seconds)
    ReceiptCall.objects.create(account_id=ids.new(), provider="sandbox", sealed=b"", due_at=due)
    about, said = only(level)
    assert about == "receipts"
    assert said.startswith(f"1 calls wait, the oldest for {seconds} s.")


def test_receipts_that_were_set_aside(world: Any) -> None:
    ReceiptCall.objects.create(account_id=ids.new(), provider="sandbox", sealed=b"", parked_at=clock.now())
    assert only("warn")[0] == "parked receipts"


def test_work_that_waits(world: Any) -> None:
    notify([person()])
    WorkItem.objects.all_tenants().update(due_at=clock.now() - timedelta(seconds=90))
    about, said = only("warn")
    assert about == "lane transactional"
    assert said.startswith("The oldest due work of transactional waits for 90 s.")


def test_books_that_do_not_balance(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    notify([person()])
    WorkItem.objects.all_tenants().delete()
    troubles = flow.troubles
    later = clock.now() + timedelta(minutes=5)
    monkeypatch.setattr(flow, "troubles", lambda *, now, hours: troubles(now=later, hours=hours))
    assert only("fail")[0] == "ledger unrouted"


def test_a_lost_probe(world: Any) -> None:
    fields = {"tenant_id": tenant(), "channel": "sms", "mode": "test"}
    Probe.objects.create(user_id="phone-1", has_arrived=False, said="After 300 s it is sent.", **fields)
    Probe.objects.create(user_id="phone-2", has_arrived=True, **fields)
    about, said = only("fail")
    assert (about, said[:23]) == ("probe sms to phone-1", "After 300 s it is sent.")
    assert findings("ok")["probes"] == "1 arrived when last sent."


def test_a_check_that_breaks_is_a_finding(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(now: Any) -> Any:
        raise RuntimeError("a fault of ours")
        yield

    monkeypatch.setattr(doctor, "WITH_DATABASE", (breaks, servers.beat))
    found = list(doctor.examine(clock.now()))
    assert [(one.level, one.about) for one in found[-2:]] == [("fail", "breaks"), ("ok", "beat")]


def test_the_command_prints_lines_or_json_and_ends_accordingly(world: Any) -> None:
    lines, status = ran()
    assert status == 0
    assert "ok    redis                    It answers and takes writes.\n" in lines
    said, _ = ran("--json")
    assert json.loads(said)["ok"] is True
    quick().delete("worker:receipts")
    lines, status = ran()
    assert status == 1
    assert "fail  workers                  No worker serves receipts.\n" in lines
    assert f"{'':<31}Start the workers of its pool" in lines
    said, status = ran("--json")
    broken = [one for one in json.loads(said)["findings"] if one["level"] == "fail"]
    assert (status, [one["about"] for one in broken]) == (1, ["workers"])


def ran(*arguments: str) -> tuple[str, int]:
    out = StringIO()
    try:
        call_command("doctor", *arguments, stdout=out)
    except SystemExit as end:
        return out.getvalue(), int(end.code or 0)
    return out.getvalue(), 0
