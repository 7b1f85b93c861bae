"""accept: the one way in. What it answered is committed; what it refused left nothing behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from django.db import transaction

from apps.core import ids
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Caller
from apps.dispatch import bells
from apps.dispatch.ringer import ringer
from apps.ingest import idempotency
from apps.ingest.idempotency import Stored
from apps.ingest.planning import Planned
from apps.ledger import accepting

RETRY_SOON = {"Retry-After": "1"}


@dataclass(frozen=True, slots=True)
class Ticket:
    """What makes a request the same request: `key` and `fingerprint`, 32 bytes each."""

    key: bytes
    fingerprint: bytes
    request_id: str
    source: str = "api"


@dataclass(frozen=True, slots=True)
class Answered:
    """`stored`: what is kept with the key. `ids`: the notification that each of its items stands for."""

    stored: Stored
    ids: list[str]
    is_replay: bool


def accept(
    caller: Caller, ticket: Ticket, form: str, planned: Sequence[tuple[int, Planned]], refused: list[Any]
) -> Answered:
    """Writes the notifications and rings. Raises Problem: idempotency_key_reused, idempotency_in_progress."""
    notifications = [p.notification for _, p in planned]
    items = [
        (
            position,
            p.user_id,
            ids.show(ids.NOTIFICATION, p.notification.id),
            "scheduled" if p.notification.due_at else "queued",
            accepting.event_key(caller.tenant.id, caller.mode, p.notification),
        )
        for position, p in planned
    ]
    stored = Stored(form, items, refused)
    request = accepting.Request(
        tenant_id=caller.tenant.id,
        api_key_id=caller.key_id,
        mode=caller.mode,
        source=ticket.source,
        request_id=ticket.request_id,
        key=ticket.key,
        fingerprint=ticket.fingerprint,
        answer=msgspec.json.encode(stored),
        key_ttl=idempotency.key_ttl(),
        event_ttl=idempotency.event_ttl(caller),
    )
    try:
        accepted = accepting.accept(request, notifications)
    except accepting.StillRunningError:
        raise Problem(Code.IDEMPOTENCY_IN_PROGRESS, headers=RETRY_SOON) from None
    except accepting.KeyReusedError:
        raise Problem(Code.IDEMPOTENCY_KEY_REUSED, pointer=f"#header/{idempotency.HEADER}") from None
    if accepted.is_replay:
        earlier = msgspec.json.decode(accepted.answer, type=Stored)
        return Answered(earlier, _standing_ids(earlier), is_replay=True)
    queues = sorted({f"route.{n.category}" for n in notifications if n.due_at is None})
    ask = ringer.ask if len(notifications) <= bells.FEW else ringer.ask_on
    transaction.on_commit(lambda: ask(*queues), robust=True)
    shown = _standing_ids(stored) if accepted.is_partial else [shown for _, _, shown, _, _ in items]
    return Answered(stored, shown, is_replay=False)


def replayed(ticket: Ticket) -> Answered | None:
    """What an earlier request with this very key and body got: asked when the request would now be refused."""
    answer = accepting.answer_of(ticket.key, ticket.fingerprint)
    if answer is None:
        return None
    stored = msgspec.json.decode(answer, type=Stored)
    return Answered(stored, _standing_ids(stored), is_replay=True)


def _standing_ids(stored: Stored) -> list[str]:
    """An item of an event that was accepted before stands for the notification of then."""
    standing = accepting.standing([key for *_, key in stored.items])
    return [
        ids.show(ids.NOTIFICATION, standing[place]) if place in standing else shown
        for place, (_, _, shown, _, _) in enumerate(stored.items)
    ]
