"""Run beside the service, as standard input says ({do, ...}): neighbours with keys, a flood, one who dawdles in a transaction, a slow
reader of a run's CSV, what the doctor says of transactions, pauses and ends of campaigns."""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count
from threading import Lock, Thread
from typing import Any
from uuid import UUID, uuid4

PEOPLE = 20
# requests a second that each thread of a flood begins, and how many notifications one has: 2,000 a second together
FLOOD = ((50, 1), (50, 1), (9.5, 100), (9.5, 100))


def main() -> None:
    import django

    django.setup()
    asked = json.loads(sys.stdin.read())
    json.dump(DEEDS[asked.pop("do")](**asked), sys.stdout)


def neighbours(slugs: list[str]) -> list[str]:
    """A key for each tenant, with the limits that every tenant begins with; unknown ones are made, with a few people."""
    from apps.audience.addresses import email_address
    from apps.audience.services import upsert_recipients
    from apps.core.enums import KeyMode, Scope
    from apps.core.types import InlineRecipient
    from apps.tenants.selectors import tenant_by_slug
    from apps.tenants.services import create_api_key, create_tenant

    tokens = []
    for slug in slugs:
        tenant = tenant_by_slug(slug)
        if tenant is None:
            tenant = create_tenant(slug=slug, name=slug, email_from=f"{slug}@example.com")
            inline = [
                InlineRecipient(
                    f"c_{n}", "en", "Europe/Berlin", {}, addresses=(email_address(f"{slug}{n}@example.com", ""),)
                )
                for n in range(PEOPLE)
            ]
            upsert_recipients(tenant=tenant, inline=inline)
        tokens.append(create_api_key(tenant=tenant, name="faults", mode=KeyMode.TEST, scopes=list(Scope)).token)
    return tokens


def body(number: int) -> dict[str, Any]:
    """A marketing mail to one of the first people of any tenant here."""
    message = {"title": "An offer", "body": f"Number {number}"}
    return {"user_id": f"c_{number % PEOPLE}", "category": "marketing", "message": message, "channels": ["email"]}


def flood(url: str, token: str, seconds: float) -> dict[str, Any]:
    """Posts single ones and batches, without waiting after a 429. `offered`, `accepted`: notifications. A caller has a machine of its own:
    it takes no processor from the service but what nobody else wants."""
    import requests

    from notifier.local.processes import yield_processor

    os.setsid()
    yield_processor(19)

    began, numbers, lock = time.monotonic(), count(), Lock()
    statuses: Counter[str] = Counter()
    said = {"offered": 0, "accepted": 0, "without_retry_after": 0}

    def post(rate: float, size: int) -> None:
        session = requests.Session()
        session.trust_env = False
        for number in range(round(rate * seconds)):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            bodies = [body(next(numbers)) for _ in range(size)]
            path = "/v1/notifications" + ("/batch" if size > 1 else "")
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}
            given = {"notifications": bodies} if size > 1 else bodies[0]
            try:
                answer = session.post(url + path, json=given, headers=headers, timeout=20)
            except requests.RequestException:
                statuses["0"] += 1
                continue
            with lock:
                statuses[str(answer.status_code)] += 1
                said["offered"] += size
                said["accepted"] += size * (answer.status_code == 202)
                said["without_retry_after"] += answer.status_code == 429 and "Retry-After" not in answer.headers

    threads = [Thread(target=post, args=one) for one in FLOOD]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {**said, "statuses": dict(statuses)}


def dawdle(longest: float) -> dict[str, Any]:
    """Looks at something in a transaction of the service and then does nothing: after how many seconds PostgreSQL had enough, or None."""
    import psycopg
    from django.conf import settings
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT pg_backend_pid(), count(*) FROM ledger_work_item")
        (pid, _), began = cursor.fetchone(), time.monotonic()
        with psycopg.connect(settings.DATABASE_URL, autocommit=True) as other:
            while time.monotonic() - began < longest:
                if not other.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [pid]).fetchall():
                    # no farewell: there is nobody to commit with
                    connection.connection.close()
                    transaction.set_rollback(True)
                    return {"ended_after": round(time.monotonic() - began, 1)}
                time.sleep(0.2)
    return {"ended_after": None}


def export(tenant: str, seconds: float) -> dict[str, Any]:
    """Reads the CSV of the tenant's newest run as somebody on a slow line does, from the start again when it ends."""
    from django.db import close_old_connections

    from apps.campaigns.exporting import lines_of
    from apps.campaigns.models import Run

    ends, read = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        run = Run.objects.of(UUID(tenant)).order_by("-id").first()
        for page in lines_of(run, is_masked=True) if run else ():
            read += page.count(b"\n")
            time.sleep(0.5)
            if time.monotonic() > ends:
                break
        time.sleep(0.5)
        close_old_connections()
    return {"lines": read}


def doctor() -> list[list[str]]:
    """(level, about, sentence)"""
    from apps.core import clock
    from apps.insights.checkups import servers

    return [[one.level, one.about, one.said] for one in servers.transactions(clock.now())]


def pause(tenant: str, campaign: str) -> dict[str, Any]:
    from apps.campaigns import launching

    found = launching.pause(campaign_id=UUID(campaign), tenant_id=UUID(tenant), by="faults")
    return {"at": time.time(), "in_flight": found.in_flight, "taken": found.taken, "waiting": found.waiting}


def resume(tenant: str, campaign: str) -> dict[str, Any]:
    from apps.campaigns import launching

    launching.resume(campaign_id=UUID(campaign), tenant_id=UUID(tenant), by="faults")
    return {"at": time.time()}


def cancel(tenant: str, campaign: str = "") -> dict[str, Any]:
    """That one, or all that are open."""
    from apps.campaigns import launching
    from apps.campaigns.models import Campaign

    ended = [Campaign.objects.of(UUID(tenant)).get(id=UUID(campaign))] if campaign else []
    if not campaign:
        ended = list(Campaign.objects.of(UUID(tenant)).exclude(status__in=("finished", "cancelled", "draft")))
    in_flight = taken = 0
    for one in ended:
        found = launching.cancel(campaign_id=one.id, tenant_id=one.tenant_id, by="faults")
        in_flight, taken = in_flight + found.in_flight, taken + found.taken
    return {"at": time.time(), "campaigns": len(ended), "in_flight": in_flight, "taken": taken}


DEEDS: Mapping[str, Callable[..., Any]] = {
    made.__name__: made for made in (neighbours, flood, dawdle, export, doctor, pause, resume, cancel)
}

if __name__ == "__main__":
    main()
