"""Receipts while things die: before our own commit (E21), while their handler is killed, a flood of bounces (E24); and none (E16)."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifier.local.processes import wait_until
from tests.drill.stage import later
from tests.faults.conftest import Experiment, begin_with

pytestmark = pytest.mark.faults


def is_asleep(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def statuses(trial: Experiment) -> dict[str, int]:
    assert trial.outside
    return trial.outside.books(trial.name).by_status()


def alone(trial: Experiment) -> None:
    """Twilio carries all SMS."""
    trial.system.query("UPDATE channels_provideraccount SET is_on = false WHERE key = 'vonage'")


@begin_with("web", "transactional", "system", "beat")
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


GERMAN, FRENCH = 49302000000, 33612010000


def texts(trial: Experiment, count: int, first: int) -> None:
    """To as many numbers, from that one on."""
    people = [{"user_id": f"number-{first + n}", "phone": f"+{first + n}"} for n in range(count)]
    bodies = [trial.producer.body(n, category="transactional", channels=["sms"]) for n in range(count)]
    trial.producer.batch([body | {"user_id": None, "recipient": one} for body, one in zip(bodies, people, strict=True)])


@pytest.fixture
def unlearnt(trial: Experiment) -> Iterator[None]:
    """Other experiments' silence is no history of this one, nor this one's of theirs."""

    def forget() -> None:
        for table in ("ledger_delivery", "ledger_attempt"):
            trial.system.query(f"UPDATE {table} SET account = 'of old' WHERE account IN ('twilio', 'vonage')")
        trial.system.query("DELETE FROM insights_receipt_norm")

    forget()
    yield
    forget()


@pytest.mark.usefixtures("unlearnt")
def test_e16_a_silent_ban_of_one_country(trial: Experiment) -> None:
    """The first of two accounts says 200 to all and drops what goes to France. The watch looks as if it were later (tests/drill).

    Judged: no alarm at 60 looks over a clean hour; the alarm within 2 x the usual delay (95 %) + 60 seconds of the last message
    lost; it names the country; from then on most goes through the second account; nothing that was lost is sent again.
    """
    system, outside = trial.system, trial.outside
    assert outside
    for key in ("twilio", "vonage"):
        outside.receipts(key, after=0.3)
    texts(trial, 60, FRENCH)
    texts(trial, 240, GERMAN)
    assert system.wait(lambda: statuses(trial) == {"delivered": 300}, 60), statuses(trial)
    later(system, "learn", 25 * 60)
    norm = "SELECT delay, missing FROM insights_receipt_norm WHERE account = 'twilio' AND place = '+33'"
    ((delay, missing),) = system.query(norm)
    assert missing == 0
    assert later(system, "watch", *range(60, 3_601, 60)) == (None, [])

    outside.control("twilio", {"ban": True, "to": "+33"})
    texts(trial, 25, FRENCH)
    texts(trial, 300, GERMAN)
    assert system.wait(lambda: statuses(trial) == {"delivered": 600, "sent": 25}, 60), statuses(trial)
    # the beat looks every 25 seconds: at the worst the last look before it is due has just been
    looks = [2 * delay + 60 - 25, 2 * delay + 60]
    after, alerts = later(system, "watch", *looks)
    trial.figures |= {"usual_delay": round(delay, 1), "noticed_after": after and round(after), "alerts": alerts}
    assert [(kind, subject) for kind, subject, _ in alerts] == [("silent", "twilio")]
    assert "to +33" in alerts[0][2]

    moment = time.time()
    texts(trial, 100, GERMAN)
    assert system.wait(lambda: statuses(trial) == {"delivered": 700, "sent": 25}, 60), statuses(trial)
    shifted = sum(line.time >= moment and line.taken for line in outside.lines("vonage"))
    trial.figures["through_the_second_account"] = shifted
    books = trial.check_outside()
    assert shifted >= 75
    assert max(books.taken().values()) == 1
    assert len(books.lines) == 725


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
