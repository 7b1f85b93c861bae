"""Caps of Acme, and a Redis that has counted for as long as a test wants."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import Any, TypeVar

from django.db import connections

from apps.core import clock, redis
from apps.dispatch import capping
from apps.ledger.models import Delivery
from apps.preferences import choosing, counting
from apps.preferences.models import FrequencyCap
from tests.integration.dispatch_cast import tenant

T = TypeVar("T")


def begin() -> None:
    """Nothing is counted, and nothing before was missed."""
    redis.quick().flushdb()
    counting.reserve([])
    counted_since(clock.now() - timedelta(days=30))
    capping._here.away_since = None
    choosing.forget_cached()


def end() -> None:
    capping._here.away_since = None
    choosing.forget_cached()


def counted_since(at: datetime) -> None:
    kept = redis.quick().get(counting.SINCE)
    assert isinstance(kept, bytes)
    redis.quick().set(counting.SINCE, b"%s:%d" % (kept.split(b":")[0], at.timestamp() * 1000))


def cap(limit: int, *, period: str = "rolling", seconds: int = 3600, name: str = "", **fields: str) -> None:
    window = seconds if period == "rolling" else 0
    FrequencyCap.objects.create(
        tenant_id=tenant(), name=name or f"cap-{limit}", limit=limit, period=period, window_seconds=window, **fields
    )
    choosing.forget_cached()


def sent() -> dict[str, int]:
    """Messages by channel."""
    return dict(Counter(Delivery.objects.all_tenants().filter(status="sent").values_list("channel", flat=True)))


def in_threads(count: int, each: Callable[[], T], *, times: int = 1) -> list[T]:
    """All begin at one moment; what each call answered."""
    found: list[T] = []
    failed: list[BaseException] = []
    together = Barrier(count)

    def run() -> None:
        together.wait()
        try:
            for _ in range(times):
                found.append(each())
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads: list[Any] = [Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    return found
