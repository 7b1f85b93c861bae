"""The clockwork of derived numbers. Run twice or late they do no harm."""

from celery import shared_task

from apps.core import clock
from apps.insights import activity, books, critical_share, expiring, fatigue, probing, silence


@shared_task(name="insights.watch_receipts")
def watch_receipts(**_: object) -> None:
    silence.watch(clock.now())


@shared_task(name="insights.learn_receipts")
def learn_receipts(**_: object) -> None:
    silence.learn(clock.now())


@shared_task(name="insights.probe")
def probe(**_: object) -> None:
    probing.run_due(clock.now())


@shared_task(name="insights.announce_expiries")
def announce_expiries(**_: object) -> None:
    expiring.announce(clock.now())


@shared_task(name="insights.check_books")
def check_books(**_: object) -> None:
    books.check(clock.now())


@shared_task(name="insights.watch_critical_share")
def watch_critical_share(**_: object) -> None:
    critical_share.watch(clock.now())


@shared_task(name="insights.count_fatigue")
def count_fatigue(**_: object) -> None:
    fatigue.count(clock.now())


@shared_task(name="insights.follow_activity")
def follow_activity(**_: object) -> None:
    activity.follow(clock.now())


@shared_task(name="insights.sweep_activity")
def sweep_activity(**_: object) -> None:
    activity.sweep(clock.now())
