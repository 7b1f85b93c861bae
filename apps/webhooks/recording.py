"""How calls went, written down: attempts, what is tried again and when, and which endpoints have had their chance."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import random
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError

from apps.core import clock
from apps.core.rows import atomic, execute, fetch, recordset
from apps.webhooks.calling import Result
from apps.webhooks.pacing import GONE, is_hopeless, is_quick, wait_after
from apps.webhooks.switching import switch_off

log = logging.getLogger(__name__)
GONE_SENTENCE = "It answered 410 Gone."

_NOTE = """
INSERT INTO webhooks_webhookattempt (
    id, tenant_id, endpoint_id, event_id, kind, number, at, took_ms, is_success, status, error, answer, next_at)
SELECT uuidv7(), r.tenant_id, r.endpoint_id, r.event_id, r.kind, r.number, r.at, r.took_ms, r.is_success, r.status, r.error, r.answer,
    statement_timestamp() + r.wait * interval '1 second'
FROM json_to_recordset(%(rows)s) AS r(
    tenant_id uuid, endpoint_id uuid, event_id uuid, kind text, number smallint, at timestamptz, took_ms integer,
    is_success boolean, status smallint, error text, answer text, wait float)
WHERE EXISTS (SELECT FROM webhooks_webhookendpoint e WHERE e.id = r.endpoint_id)
"""
# a yes is a yes, whoever holds the call by now
_DONE = """
DELETE FROM webhooks_webhookcall c USING unnest(%(ids)s::uuid[], %(tokens)s::int[]) AS i(id, token)
WHERE c.id = i.id AND (i.token IS NULL OR c.token = i.token)
"""
_AGAIN = """
UPDATE webhooks_webhookcall c SET tries = i.tries, due_at = statement_timestamp() + i.wait * interval '1 second', lease_until = NULL
FROM json_to_recordset(%(rows)s) AS i(id uuid, token integer, tries smallint, wait float)
WHERE c.id = i.id AND c.token = i.token
"""
_ENDPOINTS = """
UPDATE webhooks_webhookendpoint e
SET is_proven = i.is_proven, failing_since = CASE WHEN i.is_well THEN NULL ELSE coalesce(e.failing_since, statement_timestamp()) END
FROM json_to_recordset(%(rows)s) AS i(id uuid, is_proven boolean, is_well boolean)
WHERE e.id = i.id AND (e.is_proven <> i.is_proven OR i.is_well <> (e.failing_since IS NULL))
"""


def record_each(results: Sequence[Result]) -> None:
    """All in one step, or else one by one: what cannot be written then is a fault of ours; its lease runs out, and it is called again.
    Raises OperationalError and InterfaceError."""
    try:
        record(results)
        return
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.info("webhook results written one by one", extra={"calls": len(results), "error": type(error).__name__})
    for result in results:
        try:
            record([result])
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            log.error("webhook result lost", extra={"endpoint": str(result.job.endpoint_id)}, exc_info=error)


def record(results: Sequence[Result]) -> None:
    """In a transaction of its own, with a fixed number of statements, and one more for each endpoint that goes off."""
    now = clock.now()
    waits = {r.job.id: None if r.is_success else wait_after(r.job.tries + 1, r.retry_after, random()) for r in results}
    over = [r for r in results if waits[r.job.id] is None]
    again = [r for r in results if waits[r.job.id] is not None]
    with atomic():
        endpoints = _note_endpoints(results)
        execute(_NOTE, {"rows": recordset(_attempt(r, waits[r.job.id], now) for r in results)})
        execute(
            _DONE, {"ids": [r.job.id for r in over], "tokens": [None if r.is_success else r.job.token for r in over]}
        )
        rows = (
            {"id": r.job.id, "token": r.job.token, "tries": r.job.tries + 1, "wait": waits[r.job.id]} for r in again
        )
        execute(_AGAIN, {"rows": recordset(rows)})
        gone = {r.job.endpoint_id for r in results if r.status == GONE}
        for endpoint_id, failing_since in endpoints.items():
            if endpoint_id in gone:
                switch_off(endpoint_id, GONE_SENTENCE)
            elif is_hopeless(failing_since, now):
                switch_off(endpoint_id, f"Every call failed since {failing_since:%Y-%m-%d %H:%M} UTC.")


def _note_endpoints(results: Sequence[Result]) -> dict[UUID, datetime | None]:
    """Since when each that did not take anything just now has failed. Locked in the order of ids, as every writer does."""
    last = {r.job.endpoint_id: r for r in results}
    well = {r.job.endpoint_id for r in results if r.is_success}
    rows = [
        {"id": id_, "is_well": id_ in well, "is_proven": is_quick(r.is_success, r.seconds, r.job.is_proven)}
        for id_, r in last.items()
    ]
    found = fetch(
        "SELECT id, failing_since FROM webhooks_webhookendpoint WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE",
        {"ids": list(last)},
    )
    execute(_ENDPOINTS, {"rows": recordset(rows)})
    return {id_: since for id_, since in found if id_ not in well}


def _attempt(result: Result, wait: float | None, now: datetime) -> dict[str, Any]:
    job = result.job
    return {
        "tenant_id": job.tenant_id,
        "endpoint_id": job.endpoint_id,
        "event_id": job.event_id,
        "kind": job.kind,
        "number": job.tries + 1,
        "at": now - timedelta(seconds=result.seconds),
        "took_ms": round(result.seconds * 1000),
        "is_success": result.is_success,
        "status": result.status,
        "error": result.error,
        "answer": result.answer,
        "wait": wait,
    }
