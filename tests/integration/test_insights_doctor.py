"""The doctor: a sound world has nothing to mend; each way to break it is found, and said how to mend it."""

import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from threading import Thread
from typing import Any, ClassVar

import pytest
from django.conf import settings as project
from django.core.management import call_command
from django.db import DatabaseError
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.channels import domain_rules, registry
from apps.channels import services as channels
from apps.channels.base import Provider
from apps.core import clock, ids
from apps.core.enums import Channel, OutcomeKind
from apps.core.redis import RedisError, quick
from apps.core.types import Outcome
from apps.dispatch import signs_of_life
from apps.insights import doctor
from apps.insights.checkups import carriers, flow, servers
from apps.insights.models import Probe, ReceiptNorm
from apps.ledger.models import WorkItem
from apps.receipts.models import ReceiptCall
from apps.tenants.models import Tenant
from apps.tenants.selectors import forget_cached as forget_tenants
from tests.integration.dispatch_cast import notify, person, tenant

pytestmark = pytest.mark.django_db


class Front(BaseHTTPRequestHandler):
    status: ClassVar[int] = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def world(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Sound: beat ticks, every queue has a worker, the front door answers, an account is known to its provider."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Front)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    settings.PUBLIC_URL = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(carriers, "_is_local", lambda host: False)
    monkeypatch.setitem(servers.DURABLE, "fsync", {"on", "off"})
    monkeypatch.setitem(servers.DURABLE, "synchronous_commit", {"on", "off"})
    monkeypatch.setitem(servers.DURABLE, "full_page_writes", {"on", "off"})
    every = IntervalSchedule.objects.create(every=1, period="seconds")
    PeriodicTask.objects.update_or_create(
        name="tick", defaults={"interval": every, "task": "dispatch.tick", "last_run_at": clock.now()}
    )
    signs_of_life.say(project.QUEUE_SHARES)
    channels.create_account(key="acme-mail", provider="smtp", channel=Channel.EMAIL)
    yield settings
    server.shutdown()
    server.server_close()
    Front.status = 200
    quick().delete(*(f"worker:{queue}" for queue in project.QUEUE_SHARES))


def findings(level: str = "") -> dict[str, str]:
    """What was said, by what it is about; those of a level."""
    return {one.about: one.said for one in doctor.examine(clock.now()) if not level or one.level == level}


def only(level: str) -> tuple[str, str]:
    """The one finding that is not ok."""
    ((about, said),) = {
        one.about: f"{one.said} | {one.fix}"
        for one in doctor.examine(clock.now())
        if one.level != "ok" and one.about != "webhooks"
    }.items()
    assert findings(level)[about] in said
    return about, said


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


class Asked(Provider):
    name = "smtp"
    channels = frozenset({Channel.EMAIL})
    says: ClassVar[Any] = None

    def check_credentials(self, account: Any, deadline: Any) -> Outcome | None:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("says", "level", "said"),
    [
        (Outcome(OutcomeKind.MISCONFIGURED, "401"), "fail", "smtp refuses us (401). | Give it new credentials"),
        (
            Outcome(OutcomeKind.MISCONFIGURED, "sandbox", "Ask for production."),
            "fail",
            "(sandbox). | Ask for production.",
        ),
        (Outcome(OutcomeKind.PROVIDER_DOWN, "dns"), "warn", "could not be asked (dns). | Try again later."),
        (KeyError("token"), "fail", "The check failed: KeyError: 'token' | Look at its settings"),
    ],
)
def test_what_a_provider_says_of_us(
    world: Any, monkeypatch: pytest.MonkeyPatch, says: Any, level: str, said: str
) -> None:
    monkeypatch.setitem(registry._made, "smtp", Asked())  # type: ignore[arg-type]
    monkeypatch.setattr(Asked, "says", says)
    about, whole = only(level)
    assert about == "account acme-mail"
    assert said in whole


def test_a_provider_that_knows_us(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._made, "smtp", Asked())  # type: ignore[arg-type]
    monkeypatch.setattr(Asked, "says", Outcome(OutcomeKind.ACCEPTED, detail="14 messages a second"))
    assert findings("ok")["account acme-mail"] == "smtp knows us. 14 messages a second"


def test_an_account_that_is_off(world: Any) -> None:
    account = channels.create_account(key="acme-off", provider="smtp", channel=Channel.EMAIL)
    channels.switch_off(account.id, "Trouble.")
    assert only("warn")[0] == "account acme-off"


def test_sender_domains_that_receivers_doubt(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the account's sender, or else of every tenant's."""
    asked: list[tuple[str, str]] = []

    def check(account: Any) -> list[domain_rules.Finding]:
        asked.append((account.key, account.sender))
        grade = domain_rules.Grade.BROKEN if account.sender == "Acme <hi@acme.test>" else domain_rules.Grade.GOOD
        return [domain_rules.Finding("spf", grade, account.sender.rpartition("@")[2].strip(">"), "Said.", "Mend it.")]

    monkeypatch.setattr(carriers, "check_account", check)
    channels.create_account(key="own", provider="smtp", channel=Channel.EMAIL, sender="sale@acme-sale.test")
    for slug, sender in (("acme", "Acme <hi@acme.test>"), ("other", "")):
        Tenant.objects.create(slug=slug, name=slug, email_from=sender)
    forget_tenants()
    assert only("fail") == ("sender acme.test", "spf for acme-mail: Said. | Mend it.")
    found = findings()
    assert sorted(set(asked)) == [("acme-mail", "Acme <hi@acme.test>"), ("own", "sale@acme-sale.test")]
    assert (found["sender acme.test"], found["sender acme-sale.test"]) == (
        "spf for acme-mail: Said.",
        "spf for own: Said.",
    )
    assert "sender acme.test" in findings("fail") and "sender acme-sale.test" in findings("ok")


@pytest.mark.parametrize(("days", "level"), [(5, "warn"), (-1, "fail")])
def test_credentials_that_end(world: Any, days: int, level: str) -> None:
    last_day = (clock.now() + timedelta(days=days)).date().isoformat()
    channels.create_account(key="soon", provider="smtp", channel=Channel.EMAIL, settings={"expires_on": last_day})
    assert only(level)[0] == "credentials soon"


def test_a_public_address_that_nobody_can_call(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    channels.create_account(key="acme-sms", provider="sandbox", channel=Channel.SMS)
    found = findings("fail")
    assert found["webhooks"].startswith("NOTIFIER_PUBLIC_URL is http://")
    world.PUBLIC_URL = "https://notify.acme-notifications.com"
    assert carriers._address(True).level == "ok"
    for url in ("https://localhost", "https://10.0.0.7", "https://web", "http://notify.acme-notifications.com"):
        world.PUBLIC_URL = url
        assert (carriers._address(True).level, carriers._address(False).level) == ("fail", "warn")


def test_a_front_door_that_does_not_answer(world: Any) -> None:
    Front.status = 503
    about, said = only("fail")
    assert about == "public url" and "/healthz answers 503." in said
    world.PUBLIC_URL = "http://127.0.0.1:1"
    assert "cannot be reached from here" in findings("fail")["public url"]


def test_an_account_that_never_reports(world: Any) -> None:
    channels.create_account(key="acme-sms", provider="sandbox", channel=Channel.SMS)
    norm(missing=1.0)
    about, said = only("warn")
    assert about == "receipts acme-sms"
    assert f"Enter {world.PUBLIC_URL}/v1/receipts/acme-sms as webhook at sandbox" in said


def norm(**fields: Any) -> None:
    plain = {"account": "acme-sms", "sample": 100, "delay": 5, "patience": 70, "missing": 0.0, "learnt_at": clock.now()}
    ReceiptNorm.objects.create(**plain | fields)


def test_a_silent_account(world: Any) -> None:
    norm(silent_since=clock.now())
    assert only("fail")[0] == "silence"


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
