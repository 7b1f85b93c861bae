"""The Celery app, its routes, and the whole clockwork. Messages carry no work: a lost or doubled one costs milliseconds."""

import os

from celery import Celery
from celery.signals import task_prerun, worker_init
from django.db import close_old_connections
from kombu.entity import Queue
from kombu.transport.redis import Transport
from redis.exceptions import OutOfMemoryError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifier.settings")
# system checks load every URL and with them the admin, 20 MB that no worker uses; `manage.py check` and `migrate` run them
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

from notifier import garbage
from notifier.pools import QUEUES

# a full Redis is like one that is away: without this a worker ends with "Unrecoverable error", again at each start
Transport.connection_errors += (OutOfMemoryError,)

app = Celery("notifier")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = [Queue(name, routing_key=name) for name in QUEUES]
app.conf.beat_schedule = {
    # due work whose bell was lost, planned sends, retries: one ring a second per due queue
    "tick": {"task": "dispatch.tick", "schedule": 1.0, "options": {"queue": "system"}},
    # leases of workers that died: claimed work goes back, calls in flight become unknown
    "rescue": {"task": "dispatch.rescue", "schedule": 2.0, "options": {"queue": "system"}},
    # alerts of breakers whose process died, or that an emptied Redis forgot
    "alerts": {"task": "channels.compare_alerts", "schedule": 30.0, "options": {"queue": "system"}},
    # providers that say themselves how much they take a second
    "rates": {"task": "channels.ask_rates", "schedule": 900.0, "options": {"queue": "system"}},
    # receipts that were stored but whose bell was lost
    "receipts": {"task": "receipts.sweep", "schedule": 5.0, "options": {"queue": "system"}},
    # schedules whose time has come, or comes within the second
    "schedules": {"task": "schedules.fire", "schedule": 1.0, "options": {"queue": "schedules"}},
    # campaigns whose time has come, pages of runs that are under way
    "campaigns": {"task": "campaigns.run", "schedule": 1.0, "options": {"queue": "campaigns"}},
    # what became of runs, counted; the brake
    "campaign_tallies": {"task": "campaigns.tally", "schedule": 3.0, "options": {"queue": "system"}},
    # files of people: one whose worker died, or whose bell was lost; a busy pool need not hear of it twice
    "imports": {"task": "audience.work_imports", "schedule": 5.0, "options": {"queue": "bulk", "expires": 5}},
    "old_imports": {"task": "audience.forget_imports", "schedule": 3600.0, "options": {"queue": "system"}},
    "old_schedules": {"task": "schedules.forget_old", "schedule": 3600.0, "options": {"queue": "system"}},
    # what tenants are to be told: changes to collect, calls that are due
    "webhooks": {"task": "webhooks.send", "schedule": 1.0, "options": {"queue": "webhooks"}},
    "old_webhooks": {"task": "webhooks.forget_old", "schedule": 3600.0, "options": {"queue": "system"}},
    # counts of soft bounces that nobody will ask for any more
    "soft_bounces": {"task": "receipts.forget_soft_bounces", "schedule": 3600.0, "options": {"queue": "system"}},
    # versions of templates that a share of the people gets: taken back when they fail too often
    "rollouts": {"task": "dispatch.watch_rollouts", "schedule": 15.0, "options": {"queue": "system"}},
    # places under frequency caps that PostgreSQL gave out, and that no cap counts any more
    "places": {"task": "dispatch.forget_places", "schedule": 3600.0, "options": {"queue": "system"}},
    # providers that take messages and say nothing more: learnt delays against what is missing now
    "silence": {"task": "insights.watch_receipts", "schedule": 25.0, "options": {"queue": "system"}},
    "receipt_norms": {"task": "insights.learn_receipts", "schedule": 600.0, "options": {"queue": "system"}},
    # messages to test endpoints that are due, and whether the last ones arrived
    "probes": {"task": "insights.probe", "schedule": 30.0, "options": {"queue": "system"}},
    # whether everything accepted has ended or has work
    "books": {"task": "insights.check_books", "schedule": 3600.0, "options": {"queue": "system"}},
    # tenants that send too much over the heads of their people
    "critical_share": {"task": "insights.watch_critical_share", "schedule": 300.0, "options": {"queue": "system"}},
    # what people said no to, per 1,000 sent
    "fatigue": {"task": "insights.count_fatigue", "schedule": 3600.0, "options": {"queue": "system"}},
    # who was sent, opened and clicked something last, for rules of segments; and what waited in feeds, which leaves no attempt
    "activity": {"task": "insights.follow_activity", "schedule": 60.0, "options": {"queue": "system"}},
    "activity_sweep": {"task": "insights.sweep_activity", "schedule": 3600.0, "options": {"queue": "system"}},
    # credentials that end soon
    "expiries": {"task": "insights.announce_expiries", "schedule": 3600.0, "options": {"queue": "system"}},
    # partitions three months ahead, retention of old ones
    "partitions": {"task": "ledger.keep_partitions", "schedule": 3600.0, "options": {"queue": "system"}},
    # idempotency keys, receipt ids and dedup keys past their time
    "seen_keys": {"task": "ledger.expire_seen_keys", "schedule": 300.0, "options": {"queue": "system"}},
}
# Celery would close the database connection around every task: a new one knows no table and no statement, and costs 20 ms
app.conf.CELERY_DB_REUSE_MAX = 1_000_000_000
app.autodiscover_tasks()


@worker_init.connect
def _settle(**_: object) -> None:
    garbage.settle()


@task_prerun.connect
def _check_connections(**_: object) -> None:
    """Those that broke or are too old are replaced."""
    close_old_connections()
