"""The usual way: one Celery message per notification. The task does one INSERT and one call to the sandbox, and nothing else:
no preferences, no templates, no second channel, no record of the attempt, no protection against sending twice."""

import json
import os
from functools import cache
from typing import Any

import requests
from celery import Celery

QUEUE = "bench"
TABLE = "CREATE TABLE IF NOT EXISTS bench_one_each (id bigserial PRIMARY KEY, body jsonb, at timestamptz DEFAULT now())"

# Celery sets Django up by itself: DJANGO_SETTINGS_MODULE is in the environment
app = Celery("one_each", broker=os.environ.get("REDIS_URL"))
app.conf.update(
    task_default_queue=QUEUE,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    imports=["notifier.local.ready"],
)


@cache
def _session() -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {os.environ['NOTIFIER_SANDBOX_SECRET']}"
    return session


@app.task(name="bench.send")
def send(*, n: int, address: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bench_one_each (body) VALUES (%s)", [json.dumps({"n": n})])
    message: dict[str, Any] = {
        "reference": f"one-{n}",
        "delivery": f"one-{n}",
        "tenant": "bench",
        "category": "transactional",
        "address": address,
        "platform": "android",
        "sender": "",
        "content": {"title": "Hello", "body": f"Order {n} is here."},
    }
    url = f"{os.environ['NOTIFIER_SANDBOX_URL']}/push/messages"
    _session().post(url, json={"account": "sandbox-push", "messages": [message]}, timeout=5).raise_for_status()
