"""Providers that misbehave, judged by their own records (E14, E15, E17 to E20, and deaths between a provider's yes and our commit)."""

import time

import pytest

from tests.faults.conftest import Experiment, begin_with
from tests.faults.outside import Outside

pytestmark = pytest.mark.faults
CHANNELS = ("push", "email", "sms")


def world(trial: Experiment) -> Outside:
    assert trial.outside
    return trial.outside


def sms(trial: Experiment, count: int, category: str, *, first: int = 0) -> None:
    """To as many people, from that one on."""
    bodies = [trial.producer.body(first + n, category=category, channels=["sms"]) for n in range(count)]
    trial.producer.batch(bodies)


@pytest.mark.parametrize("channel", CHANNELS)
@begin_with("web", "transactional", "system", "beat")
def test_e01_a_worker_dies_between_the_providers_yes_and_our_commit(trial: Experiment, channel: str, size: int) -> None:
    system, producer = trial.system, trial.producer
    system.end("critical")
    bodies = [producer.body(n, category="critical", channels=[channel]) for n in range(20 * size)]
    producer.batch(bodies)
    system.start("critical", FAULT="after_call:kill:1")
    system.await_death("critical")
    trial.settle()
    trial.check_outside(unknown=20)


def test_e14_told_to_wait(trial: Experiment, size: int) -> None:
    """429 with Retry-After, then a limit. Judged by the provider's record:

    - requests begun after the first 429 had been answered, until the time it named: three at most. What was under way until then is
      not judged: nobody could know;
    - from then on, while it takes `limit` a second: less than 2 % of the requests refused;
    - nothing sent twice, no attempt burned (each is accepted or throttled), no worker held up: mail goes on as ever.
    """
    outside, system, producer = world(trial), trial.system, trial.producer
    # long enough for whoever has begun by then to be seen by the provider
    pause, slowness, limit = 6, 0.3, 30
    system.query("UPDATE channels_provideraccount SET is_on = false WHERE key = 'vonage'")
    sms(trial, 100, "transactional")
    trial.settle()
    began = time.time()
    outside.control(
        "twilio",
        {"status": 429, "retry_after": str(pause), "seconds": pause, "delay": slowness},
        {"rate": limit},
    )
    sms(trial, 200 * size, "transactional", first=100)
    time.sleep(1)
    posted = time.time()
    sms(trial, 20, "critical", first=1_000)
    producer.batch([producer.body(n, category="transactional", channels=["email"]) for n in range(20)])
    trial.settle(60)
    lines = [line for line in outside.lines("twilio") if line.time >= began]
    told = min(line.time for line in lines if line.status == 429) + slowness
    within = [line for line in lines if told < line.time < told + pause]
    after = [line for line in lines if line.time >= told + pause]
    refused = sum(line.status == 429 for line in after)
    mails = [line.time - posted for line in outside.lines("postmark") if line.time >= posted]
    trial.figures |= {
        "under_way": sum(line.time <= told for line in lines),
        "begun_while_told_to_wait": len(within),
        "refused_afterwards": f"{refused} of {len(after)}",
        "seconds_afterwards": round(max(line.time for line in after) - told - pause, 1),
        "last_mail_after": round(max(mails), 1),
    }
    books = trial.check_outside()
    assert books.by_status() == {"sent": 140 + 200 * size}
    assert len(within) <= 3
    assert refused < 0.02 * len(after)
    assert {kind for _, kind in books.attempts.values()} == {"accepted", "throttled"}
    assert max(mails) < pause - 1


def test_e15_a_provider_that_hangs(trial: Experiment, size: int) -> None:
    """The first account hangs: its breaker opens, the second takes over, the other channels notice nothing."""
    outside, producer = world(trial), trial.producer
    outside.control("twilio", {"delay": 60})
    bodies = [producer.body(n, channels=["sms", "email"], category="transactional") for n in range(100 * size)]
    began = time.time()
    for start in range(0, len(bodies), 20):
        producer.batch(bodies[start : start + 20])
        time.sleep(0.5)
    trial.settle(90)
    mails = [line.time - began for line in outside.lines("postmark") if line.time >= began]
    trial.figures["last_mail_after"] = round(max(mails), 1)
    trial.figures["hung_calls"] = len({line.request for line in outside.lines("twilio") if line.time >= began})
    books = trial.check_outside(unknown=100 * size)
    assert books.by_status().get("sent", 0) > 100 * size


@pytest.mark.parametrize("channel", CHANNELS)
def test_e17_half_of_all_calls_fail(trial: Experiment, channel: str, size: int) -> None:
    outside, producer = world(trial), trial.producer
    for key in ("fcm", "apns", "postmark", "twilio", "vonage"):
        outside.control(key, {"status": 503, "share": 0.5, "seconds": 5})
    producer.batch([producer.body(n, category="critical", channels=[channel]) for n in range(60 * size)])
    trial.settle(90)
    books = trial.check_outside()
    trial.figures["requests_per_message"] = round(len(books.lines) / (60 * size), 2)
    assert books.by_status() == {"sent": 60 * size}


@pytest.mark.parametrize(
    ("category", "drop", "statuses", "taken"),
    [
        ("marketing", "after", {"unknown": 10}, 10),
        ("transactional", "after", {"sent": 10}, 10),
        ("transactional", "before", {"sent": 10}, 10),
    ],
)
@begin_with("web", "critical", "marketing", "system", "beat")
def test_e18_no_answer(trial: Experiment, category: str, drop: str, statuses: dict[str, int], taken: int) -> None:
    """Marketing is never sent again; what Twilio can be asked about ends as what Twilio says."""
    outside = world(trial)
    trial.system.query("UPDATE channels_provideraccount SET is_on = false WHERE key = 'vonage'")
    trial.system.start("transactional", DOUBTS="0.1")
    trial.system.await_ready()
    outside.control("twilio", {"drop": drop, "requests": 10})
    # Twilio is only believed to have nothing where it has nothing else for that number of that time
    sms(trial, 10, category, first=10 if drop == "before" else 0)
    trial.settle(90)
    books = trial.check_outside(unknown=10)
    assert books.by_status() == statuses
    assert sum(books.taken().values()) == taken


def test_e18_a_code_is_sent_once_more_at_most(trial: Experiment) -> None:
    outside = world(trial)
    outside.control("twilio", {"drop": "after", "requests": 10})
    sms(trial, 10, "critical")
    trial.settle(90)
    books = trial.check_outside(unknown=10)
    assert max(books.taken().values()) <= 2


def test_e19_credentials_are_refused(trial: Experiment, size: int) -> None:
    """No device is retired, nothing is lost: the account is off with one alert, and all goes out when it is on again."""
    system, outside, count = trial.system, world(trial), 60 * size
    outside.control("fcm", {"status": 401})
    bodies = [trial.producer.body(2 * n, category="transactional", channels=["push"]) for n in range(count)]
    trial.producer.batch(bodies)
    system.wait(lambda: not system.query("SELECT FROM channels_provideraccount WHERE key = 'fcm' AND is_on"), 30)
    alerts = "SELECT kind FROM channels_alert WHERE subject = 'fcm' AND ended_at IS NULL"
    system.wait(lambda: bool(system.query(alerts)), 10)
    trial.figures["alerts"] = [kind for (kind,) in system.query(alerts)]
    assert len(trial.figures["alerts"]) == 1
    assert system.query("SELECT count(*) FROM audience_endpoint WHERE retired_at IS NOT NULL") == [(0,)]
    outside.control("fcm")
    system.query("UPDATE channels_provideraccount SET is_on = true, off_reason = '' WHERE key = 'fcm'")
    trial.settle(120)
    assert trial.check_outside().by_status() == {"sent": count}


def test_e20_one_channel_is_dark(trial: Experiment, size: int) -> None:
    """Both SMS providers refuse connections: mail goes on as ever, and SMS when they are back."""
    system, producer = trial.system, trial.producer
    for key in ("twilio", "vonage"):
        system.end(f"sim-{key}")
    began = time.time()
    bodies = [producer.body(n, channels=["sms", "email"], category="transactional") for n in range(60 * size)]
    producer.batch(bodies)
    sent = (
        "SELECT count(*) FROM ledger_delivery d JOIN ledger_notification n ON n.id = d.notification_id "
        "WHERE n.object_id = %(run)s AND d.channel = 'email' AND d.status = 'sent'"
    )
    assert system.wait(lambda: system.query(sent, {"run": trial.name}) == [(60 * size,)], 30)
    trial.figures["mail_after"] = round(time.time() - began, 1)
    for key in ("twilio", "vonage"):
        system.start(f"sim-{key}")
    trial.settle(120)
    assert trial.check_outside().by_status() == {"sent": 120 * size}


def test_goaway_in_the_middle_of_a_batch(trial: Experiment, size: int) -> None:
    """APNs tells each connection to go away after seven pushes: what it did not act on is sent again, nothing twice."""
    outside, producer, count = world(trial), trial.producer, 30 * size
    outside.control("apns", {"goaway": 7})
    producer.batch([producer.body(2 * n + 1, category="transactional", channels=["push"]) for n in range(count)])
    trial.settle(90)
    books = trial.check_outside(unknown=count)
    trial.figures["connections"] = outside.counts("apns")["connections"]
    assert books.by_status() == {"sent": count}
