"""Sending, written in two commits around the provider's call: the intent before it, the settlement after it.

A settlement with an attempt is what the provider said: it advances the delivery even when the lease was lost meanwhile.
One without (withheld, given back) counts only while the lease is held.

What differs from item to item comes in arrays sorted by the items' ids (core/arrays.py); what many have in common, as nearly all of a
campaign have, comes once (`shared`), with each item's place in it. The table of open work fills and empties in seconds, so its
statistics are always wrong, and a join with it would at times compare every row with every other: an item finds its place by itself.
"""

from collections.abc import Hashable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from apps.core.arrays import integers, texts, uuids
from apps.core.enums import DeliveryStatus, Reason, WorkKind
from apps.core.rows import Shared, atomic, execute, fetch, recordset
from apps.core.types import Outcome, Rendered, Work
from apps.ledger.doubts import lock_unknown, note_resent
from apps.ledger.lifecycle import BEFORE
from apps.ledger.work import CALLING, CLAIMED, READY


class Intent(msgspec.Struct, frozen=True):
    """One message about to be given to one provider account."""

    work: Work
    attempt_id: UUID
    account: str
    rendered: Rendered


class Settlement(msgspec.Struct, frozen=True):
    """`status`: None leaves the delivery as it is. `again_in`: the work comes back after that time; None ends it.
    `is_burned`: counts against the tries. `is_dead`: leaves a dead letter with `context`. `because`: what withheld
    it rests on; `merged_into`: the notification that speaks for it."""

    work: Work
    attempt_id: UUID | None = None
    outcome: Outcome | None = None
    account: str = ""
    status: DeliveryStatus | None = None
    reason: Reason | None = None
    again_in: timedelta | None = None
    is_burned: bool = False
    is_dead: bool = False
    context: Mapping[str, Any] = msgspec.field(default_factory=dict)
    because: Mapping[str, Any] = msgspec.field(default_factory=dict)
    merged_into: UUID | None = None


_PLACE = "width_bucket(w.id, %(ids)s)"
_FENCE = f"w.lease_token = (%(tokens)s)[{_PLACE}]"
_INTEND = f"""
WITH shared AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(shared)s) AS s(
        place integer, tenant_id uuid, account text, template_version_id uuid, template_version integer, locale text, parts integer)
), mine AS (
    UPDATE ledger_work_item w
    SET phase = {CALLING}, lease_until = now() + %(lease)s, attempt_id = (%(attempts)s)[{_PLACE}], calls = w.calls + 1
    WHERE w.lane = %(lane)s AND w.id = ANY(%(ids)s) AND {_FENCE} AND w.phase = {CLAIMED}
    RETURNING w.id, w.attempt_id, w.earlier + w.calls AS number, {_PLACE} AS place
), attempt AS (
    INSERT INTO ledger_attempt (
        id, delivery_id, tenant_id, number, account, template_version_id, template_version, locale, size, parts)
    SELECT m.attempt_id, m.id, s.tenant_id, m.number, s.account, s.template_version_id, s.template_version, s.locale,
        (%(sizes)s)[m.place], s.parts
    FROM mine m JOIN shared s ON s.place = (%(places)s)[m.place]
)
SELECT id FROM mine
"""


def write_intents(intents: Sequence[Intent], *, lease: timedelta) -> set[UUID]:
    """Marks the work as calling and notes the attempts, in one commit. Returns the deliveries that are still ours to send.

    One that is to be sent once more is ours only while its fate is unknown: that is looked at under its lock.
    """
    again = [i.work.id for i in intents if i.work.kind == WorkKind.RESEND]
    if not again:
        return _intend(intents, lease)
    with atomic():
        unknown = lock_unknown(again)
        mine = _intend([i for i in intents if i.work.kind != WorkKind.RESEND or i.work.id in unknown], lease)
        if mine & unknown:
            note_resent(lane=intents[0].work.lane.value, ids=sorted(mine & unknown))
    return mine


def _intend(intents: Sequence[Intent], lease: timedelta) -> set[UUID]:
    if not intents:
        return set()
    shared, intents = Shared(), sorted(intents, key=lambda i: i.work.id.int)
    places = []
    for i in intents:
        r = i.rendered
        kind = i.work.tenant_id, i.account, r.template_version_id, r.version, r.locale, r.parts
        places.append(shared.place(kind, partial(_attempted, i)))
    parameters = {
        "shared": recordset(shared.rows),
        "lane": intents[0].work.lane.value,
        "ids": uuids([i.work.id for i in intents]),
        "tokens": integers([i.work.lease_token for i in intents]),
        "attempts": uuids([i.attempt_id for i in intents]),
        "sizes": integers([i.rendered.size for i in intents]),
        "places": integers(places),
        "lease": lease,
    }
    return {id_ for (id_,) in fetch(_INTEND, parameters)}


def _attempted(intent: Intent) -> dict[str, Any]:
    rendered = intent.rendered
    return {
        "tenant_id": intent.work.tenant_id,
        "account": intent.account,
        "template_version_id": rendered.template_version_id,
        "template_version": rendered.version,
        "locale": rendered.locale,
        "parts": rendered.parts,
    }


_SETTLE = f"""
WITH input AS MATERIALIZED (
    SELECT (%(ids)s)[n] AS id, (%(attempts)s)[n] AS attempt_id, (%(references)s)[n] AS provider_message_id, s.*
    FROM generate_series(1, %(count)s) AS n JOIN json_to_recordset(%(shared)s) AS s(
        place integer, tenant_id uuid, notification_id uuid, queue text, is_send boolean, account text, status text, before text[],
        reason text, is_dead boolean, context jsonb, because jsonb, merged_into uuid, kind text, code text, detail text,
        retry_after real, exchange jsonb)
        ON s.place = (%(places)s)[n]
), attempt AS (
    UPDATE ledger_attempt a
    SET ended_at = now(), kind = i.kind, code = i.code, detail = i.detail,
        provider_message_id = i.provider_message_id, retry_after = i.retry_after, exchange = i.exchange
    FROM input i
    WHERE a.id = ANY(%(attempts)s) AND a.id = i.attempt_id AND (a.ended_at IS NULL OR a.kind = 'ambiguous')
), gone AS (
    DELETE FROM ledger_work_item w
    WHERE w.lane = %(lane)s AND w.id = ANY(%(gone)s) AND {_FENCE}
    RETURNING w.id
), again AS (
    UPDATE ledger_work_item w
    SET phase = {READY}, lease_until = NULL, expiries = 0, tries = w.tries + (w.id = ANY(%(burned)s))::integer,
        due_at = now() + (%(again)s ->> w.id::text)::float * interval '1 second'
    WHERE w.lane = %(lane)s AND w.id = ANY(%(back)s) AND {_FENCE}
    RETURNING w.id
), mine AS MATERIALIZED (SELECT id FROM gone UNION ALL SELECT id FROM again
), delivery AS (
    UPDATE ledger_delivery d
    SET status = i.status, reason = i.reason, because = CASE WHEN i.because IS NULL OR d.because IS NULL
            THEN coalesce(i.because, d.because) ELSE i.because || jsonb_build_object('before', d.because - 'before') END,
        merged_into = coalesce(i.merged_into, d.merged_into), account = CASE WHEN i.account = '' THEN d.account ELSE i.account END,
        provider_message_id = CASE WHEN i.provider_message_id = '' THEN d.provider_message_id ELSE i.provider_message_id END,
        sent_at = CASE WHEN i.status IN ('sent', 'delivered') THEN coalesce(d.sent_at, now()) ELSE d.sent_at END,
        delivered_at = CASE WHEN i.status = 'delivered' THEN now() ELSE d.delivered_at END,
        ended_at = CASE WHEN i.status IN ('held', 'sent') THEN NULL ELSE now() END
    FROM input i
    WHERE d.id = ANY(%(ids)s) AND d.id = i.id AND i.is_send AND d.status = ANY(i.before)
        AND (i.attempt_id IS NOT NULL OR i.id IN (SELECT id FROM mine))
    RETURNING d.id
), dead AS (
    INSERT INTO ledger_dead_letter (id, tenant_id, notification_id, delivery_id, queue, reason, context, created_at,
        resolution, resolved_by)
    SELECT uuidv7(), tenant_id, notification_id, CASE WHEN is_send THEN id END, queue, reason, context, now(), '', ''
    FROM input WHERE is_dead AND id IN (SELECT id FROM mine)
)
SELECT id FROM mine
"""


def settle(settlements: Sequence[Settlement]) -> set[UUID]:
    """One commit for settlements of one lane. Returns the ids whose work was still ours.

    An answer that comes after the rescue noted the attempt as in doubt takes the place of the doubt.
    """
    if not settlements:
        return set()
    shared, settlements = Shared(), sorted(settlements, key=lambda s: s.work.id.int)
    parameters = {
        "count": len(settlements),
        "places": integers([shared.place(_kind(s), partial(_row, s)) for s in settlements]),
        "shared": recordset(shared.rows),
        "lane": settlements[0].work.lane.value,
        "ids": uuids([s.work.id for s in settlements]),
        "tokens": integers([s.work.lease_token for s in settlements]),
        "attempts": uuids([s.attempt_id for s in settlements]),
        "references": texts([s.outcome.provider_message_id[:255] if s.outcome else "" for s in settlements]),
        "gone": uuids([s.work.id for s in settlements if s.again_in is None]),
        "back": uuids([s.work.id for s in settlements if s.again_in is not None]),
        "again": Jsonb({str(s.work.id): s.again_in.total_seconds() for s in settlements if s.again_in is not None}),
        "burned": uuids([s.work.id for s in settlements if s.is_burned]),
    }
    return {id_ for (id_,) in fetch(_SETTLE, parameters)}


_NO_OUTCOME = {"kind": "", "code": "", "detail": "", "retry_after": None, "exchange": None}


def _kind(s: Settlement) -> Hashable:
    """Alike for settlements of which `_row` says the same; what is told of one alone makes it one of a kind. An exchange that is noted
    for many is one object."""
    outcome = s.outcome
    if s.is_dead or s.because or s.merged_into:
        return s.work.id
    said = outcome and (outcome.kind, outcome.code, outcome.detail, outcome.retry_after, id(outcome.exchange))
    return s.work.kind, s.account, s.status, s.reason, said


def _row(s: Settlement) -> dict[str, Any]:
    outcome = s.outcome
    return {
        "tenant_id": s.work.tenant_id,
        "notification_id": s.work.notification_id,
        "queue": s.work.queue,
        "is_send": s.work.kind in _OF_A_DELIVERY,
        "account": s.account,
        "status": s.status,
        "before": _before(s),
        "reason": s.reason or "",
        "is_dead": s.is_dead,
        "context": s.context,
        "because": s.because or None,
        "merged_into": s.merged_into,
        **(
            _NO_OUTCOME
            if outcome is None
            else {
                "kind": outcome.kind,
                "code": outcome.code[:64],
                "detail": outcome.detail[:500],
                "retry_after": outcome.retry_after,
                "exchange": outcome.exchange or None,
            }
        ),
    }


def _before(s: Settlement) -> list[DeliveryStatus]:
    """What went wrong with sending it once more says nothing about the attempt in doubt, unless the provider spoke."""
    before = BEFORE[s.status] if s.status else frozenset()
    if s.status == DeliveryStatus.HELD:
        # again, for another reason or until another time
        before |= {DeliveryStatus.HELD}
    if s.work.kind in _DOUBTED and s.reason not in _SAID_BY_PROVIDERS:
        before -= {DeliveryStatus.UNKNOWN}
    return list(before)


_OF_A_DELIVERY = frozenset({WorkKind.SEND, WorkKind.DOUBT, WorkKind.RESEND})
_DOUBTED = frozenset({WorkKind.DOUBT, WorkKind.RESEND})
_SAID_BY_PROVIDERS = frozenset({None, Reason.INVALID_ADDRESS, Reason.OPTED_OUT, Reason.REJECTED})

_COMPLETE = """
INSERT INTO ledger_attempt (id, delivery_id, tenant_id, number, account, template_version_id, template_version, locale,
    size, parts, ended_at, kind)
SELECT id, delivery_id, tenant_id, number, account, template_version_id, template_version, locale, size, parts, now(), 'accepted'
FROM json_to_recordset(%(rows)s) AS r(
    id uuid, delivery_id uuid, tenant_id uuid, number smallint, account text, template_version_id uuid,
    template_version integer, locale text, size integer, parts integer)
"""


def write_completed(attempts: Sequence[Intent]) -> None:
    """Attempts that needed no call, in the caller's transaction."""
    if not attempts:
        return
    rows = [
        {
            "id": i.attempt_id,
            "delivery_id": i.work.id,
            "number": i.work.calls + 1,
            "size": i.rendered.size,
            **_attempted(i),
        }
        for i in attempts
    ]
    execute(_COMPLETE, {"rows": recordset(rows)})
