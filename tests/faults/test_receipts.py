"""Receipts while things die: before our own commit (E21), while their handler is killed, and a flood of bounces (E24)."""

import signal
import time
from pathlib import Path

import pytest

from notifier.local.processes import wait_until
from tests.faults.conftest import Experiment

pytestmark = pytest.mark.faults


def is_asleep(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def statuses(trial: Experiment) -> dict[str, int]:
    assert trial.outside
    return trial.outside.books(trial.name).by_status()


def alone(trial: Experiment) -> None:
    """Twilio carries all SMS."""
    trial.system.query("UPDATE channels_provideraccount SET is_on = false WHERE key = 'vonage'")


def test_e21_receipts_before_our_own_commit(trial: Experiment) -> None:
    """The worker sleeps between Twilio's answer and its commit; the receipts come meanwhile and count."""
    system, outside = trial.system, trial.outside
    assert outside
    alone(trial)
    outside.receipts("twilio", after=0.1)
    system.end("critical")
    trial.producer.batch([trial.producer.body(n, category="critical", channels=["sms"]) for n in range(10)])
    system.start("critical", FAULT="before_settle_commit:stop:1")
    assert wait_until(lambda: is_asleep(system.processes["critical"].pid), 40, 0.05)
    early = wait_until(lambda: statuses(trial).get("delivered", 0) > 0, 15, 0.1)
    system.signal("critical", signal.SIGCONT)
    trial.figures["before_our_commit"] = early
    trial.settle(60)
    assert system.wait(lambda: statuses(trial) == {"delivered": 10}, 30)
    assert early
    assert trial.check_outside().by_status() == {"delivered": 10}
    assert outside.events(trial.name)["delivered"] == 10


def test_the_handler_of_receipts_is_killed(trial: Experiment, size: int) -> None:
    """Again and again while receipts come three times each: all count, once."""
    system, outside, count = trial.system, trial.outside, 200 * size
    assert outside
    alone(trial)
    outside.receipts("twilio", after=1, duplicates=2, shuffle=True)
    bodies = [trial.producer.body(n, category="transactional", channels=["sms"]) for n in range(count)]
    trial.producer.batch(bodies)
    for _ in range(6):
        time.sleep(0.7)
        system.kill("system")
        system.revive()
        system.await_ready()
    trial.settle(60)
    assert system.wait(lambda: statuses(trial) == {"delivered": count}, 60), statuses(trial)
    trial.check_outside()
    assert outside.events(trial.name)["delivered"] == count


def test_e24_a_flood_of_bounces(trial: Experiment, size: int) -> None:
    """All mail bounces for good, several times each, while urgent texts go out; nothing is sent to those addresses after that."""
    system, outside, producer = trial.system, trial.outside, trial.producer
    assert outside
    outside.receipts("postmark", after=0.5, kinds=["bounced"], duplicates=3, shuffle=True)
    producer.batch([producer.body(n, category="transactional", channels=["email"]) for n in range(20)])
    producer.stream(30 * size, per_second=10, category="critical", channels=["sms"])
    assert system.wait(lambda: statuses(trial).get("bounced", 0) == 20, 40), statuses(trial)
    began = time.time()
    producer.batch([producer.body(n, category="critical", channels=["email"]) for n in range(20)])
    trial.settle(60)
    books = trial.check_outside(bounced=20, skipped=20)
    late = [line for line in outside.lines("postmark") if line.time > began]
    trial.figures["mails_after_the_bounce"] = len(late)
    assert late == []
    assert books.by_status() == {"bounced": 20, "skipped": 20, "sent": 30 * size}
