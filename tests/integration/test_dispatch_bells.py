"""Bells and the clockwork: cheap, harmless twice, harmless without Redis."""

import socket
from time import monotonic

import pytest
from django.conf import settings
from kombu.exceptions import OperationalError as BrokerError
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from apps.core.redis import quick
from apps.dispatch import bells, tasks
from notifier.celery import app
from tests.integration.dispatch_cast import claimed, notify, people

EMAIL = "send.transactional.email"


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    heard: list[tuple[str, str]] = []

    class Message:
        def __init__(self, task: str, kwargs: dict[str, str]) -> None:
            self.task, self.kwargs = task, kwargs

        def apply_async(self, *, queue: str, retry: bool, ignore_result: bool) -> None:
            assert (retry, ignore_result, self.kwargs) == (False, True, {"queue": queue})
            heard.append((self.task, queue))

    monkeypatch.setattr(bells, "signature", Message)
    monkeypatch.setattr(bells, "_quiet_until", 0.0)
    return heard


def test_a_bell_rings_once_a_second_however_often_it_is_pulled_first_for_those_who_have_little(
    published: list[tuple[str, str]],
) -> None:
    for _ in range(100):
        bells.ring(EMAIL)
    bells.ring(EMAIL, "receipts", "receipts", "route.social")
    assert published == [
        ("dispatch.drain", f"few.{EMAIL}"),
        ("dispatch.drain", EMAIL),
        ("dispatch.drain", "few.route.social"),
        ("receipts.apply", "receipts"),
        ("dispatch.drain", "route.social"),
    ]
    assert 0 < quick().pttl(f"bell:{EMAIL}") <= 1_000


def test_a_bell_that_was_heard_rings_again(published: list[tuple[str, str]]) -> None:
    bells.ring(EMAIL)
    bells.answer(EMAIL)
    bells.ring(EMAIL)
    assert published == [("dispatch.drain", queue) for queue in (f"few.{EMAIL}", EMAIL, EMAIL)]


@pytest.mark.parametrize("queue", [EMAIL, f"few.{EMAIL}"])
def test_for_what_is_left_it_rings_in_its_own_queue_only(published: list[tuple[str, str]], queue: str) -> None:
    bells.ring_on(queue)
    bells.ring_on(queue)
    assert published == [("dispatch.drain", queue)]


def test_a_bell_that_was_lost_rings_again_after_a_second(published: list[tuple[str, str]]) -> None:
    bells.ring(EMAIL)
    quick().pexpire(f"bell:{EMAIL}", 0)
    bells.ring(EMAIL)
    assert [queue for _, queue in published] == [f"few.{EMAIL}", EMAIL, EMAIL]


@pytest.mark.parametrize("way", ["refuses", "is silent"])
def test_without_redis_it_neither_waits_nor_raises_and_then_keeps_quiet(
    monkeypatch: pytest.MonkeyPatch, published: list[tuple[str, str]], way: str, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        if way == "is silent":
            door.listen()
        asked: list[int] = []

        def broken() -> Redis:
            asked.append(1)
            return Redis(
                port=door.getsockname()[1], socket_connect_timeout=0.25, socket_timeout=0.5, retry=Retry(NoBackoff(), 0)
            )

        assert {
            name: quick().connection_pool.connection_kwargs[name]
            for name in ("socket_connect_timeout", "socket_timeout")
        } == {
            "socket_connect_timeout": 0.25,
            "socket_timeout": 0.5,
        }
        monkeypatch.setattr(bells, "quick", broken)
        started = monotonic()
        bells.ring(EMAIL)
        assert monotonic() - started < 5
        for _ in range(100):
            bells.ring(EMAIL)
        assert (published, len(asked)) == ([], 1)
        bells.answer(EMAIL)
        assert not bells.is_reachable()
    assert [r.message for r in caplog.records if r.name == bells.__name__] == ["bell not rung", "bell not stilled"]
    assert 2.0 < bells._quiet_until - monotonic() <= bells.QUIET_SECONDS == 5.0
    monkeypatch.setattr(bells, "quick", quick)
    monkeypatch.setattr(bells, "_quiet_until", monotonic() - 0.1)
    bells.ring(EMAIL)
    assert published == [("dispatch.drain", f"few.{EMAIL}"), ("dispatch.drain", EMAIL)]


@pytest.mark.parametrize("error", [BrokerError("away"), OSError("reset"), RedisError("busy")])
def test_a_broker_that_is_away_is_no_error_either(
    monkeypatch: pytest.MonkeyPatch, published: list[tuple[str, str]], error: Exception
) -> None:
    def away(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(bells, "signature", away)
    bells.ring(EMAIL)
    assert published == []
    assert bells._quiet_until > monotonic()


@pytest.mark.django_db
def test_a_tick_rings_what_is_due_and_two_at_once_ring_it_once(published: list[tuple[str, str]]) -> None:
    tasks.tick()
    assert published == []
    notify(people(3))
    tasks.tick()
    tasks.tick()
    assert published == [("dispatch.drain", "few.route.transactional"), ("dispatch.drain", "route.transactional")]
    claimed("route.transactional")
    bells.answer("route.transactional")
    tasks.tick()
    assert len(published) == 2


def test_the_clockwork() -> None:
    assert {
        name: (entry["task"], entry["schedule"], entry["options"]) for name, entry in app.conf.beat_schedule.items()
    } == {
        "tick": ("dispatch.tick", 1.0, {"queue": "system"}),
        "rescue": ("dispatch.rescue", 2.0, {"queue": "system"}),
        "alerts": ("channels.compare_alerts", 30.0, {"queue": "system"}),
        "rates": ("channels.ask_rates", 900.0, {"queue": "system"}),
        "books": ("insights.check_books", 3600.0, {"queue": "system"}),
        "expiries": ("insights.announce_expiries", 3600.0, {"queue": "system"}),
        "probes": ("insights.probe", 30.0, {"queue": "system"}),
        "receipt_norms": ("insights.learn_receipts", 600.0, {"queue": "system"}),
        "silence": ("insights.watch_receipts", 25.0, {"queue": "system"}),
        "soft_bounces": ("receipts.forget_soft_bounces", 3600.0, {"queue": "system"}),
        "receipts": ("receipts.sweep", 5.0, {"queue": "system"}),
        "places": ("dispatch.forget_places", 3600.0, {"queue": "system"}),
        "webhooks": ("webhooks.send", 1.0, {"queue": "webhooks"}),
        "old_webhooks": ("webhooks.forget_old", 3600.0, {"queue": "system"}),
        "schedules": ("schedules.fire", 1.0, {"queue": "schedules"}),
        "campaigns": ("campaigns.run", 1.0, {"queue": "campaigns"}),
        "campaign_tallies": ("campaigns.tally", 3.0, {"queue": "system"}),
        "imports": ("audience.work_imports", 5.0, {"queue": "bulk", "expires": 5}),
        "old_imports": ("audience.forget_imports", 3600.0, {"queue": "system"}),
        "rollouts": ("dispatch.watch_rollouts", 15.0, {"queue": "system"}),
        "activity": ("insights.follow_activity", 60.0, {"queue": "system"}),
        "activity_sweep": ("insights.sweep_activity", 3600.0, {"queue": "system"}),
        "old_schedules": ("schedules.forget_old", 3600.0, {"queue": "system"}),
        "critical_share": ("insights.watch_critical_share", 300.0, {"queue": "system"}),
        "fatigue": ("insights.count_fatigue", 3600.0, {"queue": "system"}),
        "partitions": ("ledger.keep_partitions", 3600.0, {"queue": "system"}),
        "seen_keys": ("ledger.expire_seen_keys", 300.0, {"queue": "system"}),
    }
    app.loader.import_default_modules()
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} | {"dispatch.drain", "receipts.apply"} <= set(
        app.tasks
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("worker_prefetch_multiplier", 1),
        ("task_ignore_result", True),
        ("result_backend", None),
        ("task_serializer", "json"),
        ("accept_content", ["json"]),
        ("task_publish_retry", False),
        ("task_create_missing_queues", False),
        ("task_default_queue", "system"),
        ("task_acks_late", False),
        ("worker_enable_remote_control", False),
        ("worker_send_task_events", False),
        ("worker_soft_shutdown_timeout", 5),
        ("broker_connection_retry_on_startup", True),
        ("broker_connection_max_retries", None),
        ("broker_pool_acquire_timeout", 2),
        ("beat_scheduler", "django_celery_beat.schedulers:DatabaseScheduler"),
        ("beat_max_loop_interval", 1),
        ("timezone", "UTC"),
    ],
)
def test_how_celery_is_set(name: str, value: object) -> None:
    assert app.conf[name] == value


def test_every_queue_is_declared_and_none_else() -> None:
    assert {queue.name for queue in app.conf.task_queues} == set(settings.QUEUE_SHARES)
    assert len(settings.WORK_QUEUES) == 20
    others = {"receipts", "webhooks", "schedules", "campaigns", "bulk", "system"}
    assert {f"few.{queue}": queue for queue in settings.WORK_QUEUES} == settings.QUEUES_BESIDE
    assert set(settings.QUEUE_SHARES) - {*settings.WORK_QUEUES, *settings.QUEUES_BESIDE} == others
