"""The acts. Each makes something go wrong outside and claims what must hold; the judge is what the providers recorded."""

import time
from collections import Counter
from collections.abc import Callable, Mapping

from tests.drill.stage import Stage


def provider_down(stage: Stage) -> None:
    """The first SMS provider answers 503 for minutes: the second takes over at once, few calls are wasted, and the first comes back."""
    outside, seconds = stage.outside, 60 * stage.minutes
    began = time.time()
    outside.control("twilio", {"status": 503, "seconds": seconds})
    with stage.streaming("sms", 5, seconds + 60):
        pass
    books = stage.settle(120)
    stage.judge(books)
    first = min(
        (line.time for line in outside.lines("vonage") if line.time >= began and line.taken), default=began + 999
    )
    stage.claim(first - began < 60, f"the second provider took over after {first - began:.1f} s")
    wasted = {line.request for line in outside.lines("twilio") if began <= line.time < began + seconds}
    most = round(60 + seconds)
    stage.claim(len(wasted) <= most, f"{len(wasted)} calls to the dead provider in {seconds:.0f} s (at most {most})")
    back = [line.time for line in outside.lines("twilio") if line.time >= began + seconds and line.taken]
    stage.claim(bool(back), f"back at the first {min(back, default=0) - began - seconds:.0f} s after it recovered")


def throttled(stage: Stage) -> None:
    """FCM answers 429 with Retry-After for a while, under a burst: nobody calls before the time, no attempt is burned."""
    outside, seconds = stage.outside, 10
    began = time.time()
    outside.control("fcm", {"status": 429, "retry_after": str(seconds), "seconds": seconds})
    stage.send(150, "push", people=lambda n: 2 * n)
    books = stage.settle(180)
    stage.judge(books)
    early = {line.request for line in outside.lines("fcm") if began <= line.time < began + seconds}
    stage.claim(len(early) <= 64, f"{len(early)} calls while told to wait, one burst at most")
    stage.claim(books.by_status() == {"sent": 150}, "all 150 arrived")


def slow(stage: Stage) -> None:
    """The mail provider takes four seconds for each call: SMS notices nothing."""
    stage.outside.control("postmark", {"delay": 4})
    began = time.time()
    stage.send(60, "email")
    stage.send(60, "sms")
    stage.wait(lambda: len(stage.outside.books(stage.run).taken()) >= 60, 60)
    books = stage.settle(120)
    texts = [line.time - began for line in stage.outside.lines("twilio", "vonage") if line.time >= began]
    stage.claim(max(texts, default=99) < 10, f"the last SMS left after {max(texts, default=99):.1f} s")
    stage.judge(books)


def silent_ban(stage: Stage) -> None:
    """Twilio says yes to all and drops two of five: the watch notices within 15 minutes of its time, and not before anything is wrong."""
    outside = stage.outside
    stage.system.query("UPDATE channels_provideraccount SET is_on = false WHERE key = 'vonage'")
    outside.receipts("twilio", after=0.3)
    stage.send(300, "sms")
    stage.wait(lambda: stage.outside.books(stage.run).by_status() == {"delivered": 300}, 90)
    stage.later("learn", 25 * 60)
    early = stage.later("watch", 90).alerts
    stage.claim(not early, f"no alarm while all is well {early or ''}".rstrip())
    outside.control("twilio", {"ban": True, "share": 0.4})
    stage.send(300, "sms")
    stage.wait(lambda: stage.outside.books(stage.run).by_status().get("delivered", 0) >= 480, 90)
    noticed = stage.later("watch", *range(30, 901, 30)).after
    stage.claim(noticed is not None, f"noticed after {noticed} seconds of provider time: {stage.alerts()}")
    stage.judge(stage.settle(30))


def flood(stage: Stage) -> None:
    """Every receipt five times, in any order, one in ten forged: counted once each, and the forged ones change nothing."""
    outside = stage.outside
    stage.system.query("UPDATE channels_provideraccount SET is_on = false WHERE key = 'vonage'")
    outside.receipts("twilio", after=1, kinds=["sent", "delivered"], duplicates=4, shuffle=True, forge=0.1)
    stage.send(500, "sms")
    stage.wait(lambda: outside.books(stage.run).by_status() == {"delivered": 500}, 120)
    events = outside.events(stage.run)
    posted = Counter({int(status): count for status, count in outside.counts("twilio")["posted"].items()})
    stage.claim(events.get("delivered") == 500, f"500 messages, {events.get('delivered')} proofs of arrival noted")
    stage.claim(
        posted[401] >= 50, f"{posted[401]} forged calls refused, {posted[200] + posted[202]} genuine ones taken"
    )
    stage.judge(stage.settle(60))


def expired_key(stage: Stage) -> None:
    """FCM refuses our key: the account is off with one alert, no device is retired; when the key is good again all goes out."""
    outside, system = stage.outside, stage.system
    outside.control("fcm", {"status": 401})
    began = time.time()
    stage.send(60, "push", people=lambda n: 2 * n)
    stage.wait(lambda: bool(stage.alerts()), 30)
    stage.claim(stage.alerts() == ["account_off"], f"alerts after {time.time() - began:.1f} s: {stage.alerts()}")
    retired = system.query("SELECT count(*) FROM audience_endpoint WHERE retired_at IS NOT NULL")[0][0]
    stage.claim(retired == 0, f"{retired} devices retired")
    outside.control("fcm")
    system.query("UPDATE channels_provideraccount SET is_on = true, off_reason = '' WHERE key = 'fcm'")
    books = stage.settle(150)
    stage.judge(books)
    stage.claim(books.by_status() == {"sent": 60}, "all 60 went out once the key was good")


# first: what is usual for a provider is learnt from what was sent before
ACTS: Mapping[str, Callable[[Stage], None]] = {
    "silent_ban": silent_ban,
    "provider_down": provider_down,
    "throttled": throttled,
    "slow": slow,
    "flood": flood,
    "expired_key": expired_key,
}
