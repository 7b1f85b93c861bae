"""Fences of the product that can be taken out, one at a time (sabotage.py, MUTANT)."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

MUTANTS = (
    "intents_without_fence",
    "rescue_takes_calling",
    "no_idempotency_key",
    "random_delivery_id",
    "answer_before_commit",
    "expiries_not_counted",
    "webhooks_to_anywhere",
    "gate_believes_routing",
    "cursor_ahead_of_page",
    "random_notification_id",
    "pause_not_looked_at",
)


def mutate(name: str) -> None:
    from apps.audience import campaign_pages
    from apps.campaigns import expanding
    from apps.core import ids
    from apps.dispatch import gate
    from apps.ingest import idempotency
    from apps.ingest import services as ingest
    from apps.ledger import accepting, leases, routing_results, selectors, sending_results, work
    from apps.routing.deciding import sending
    from apps.webhooks import calling

    match name:
        case "intents_without_fence":
            fence = f" AND {sending_results._FENCE} AND w.phase = {work.CLAIMED}"
            sending_results._INTEND = _instead_of(fence, "", sending_results._INTEND)
        case "rescue_takes_calling":
            only_claimed = f"CASE WHEN w.phase = {work.CLAIMED} THEN {work.READY} ELSE w.phase END"
            leases._LAPSE = _instead_of(only_claimed, str(work.READY), leases._LAPSE)
        case "no_idempotency_key":
            _put(idempotency, "scoped", lambda *_: os.urandom(32))
        case "random_delivery_id":
            _put(routing_results, "delivery_id", lambda *_: ids.new())
        case "answer_before_commit":
            _put(ingest.accepting, "accept", lambda request, _: accepting.Accepted(False, request.answer, False))
        case "expiries_not_counted":
            leases._LAPSE = _instead_of("expiries = w.expiries + 1", "expiries = w.expiries", leases._LAPSE)
        case "webhooks_to_anywhere":
            _put(calling, "guard_of", lambda _: lambda _: True)
        case "gate_believes_routing":
            _put(gate, "decide_all", lambda cases: {id_: sending(case) for id_, case in cases.items()})
        case "cursor_ahead_of_page":
            _put(expanding, "together", _committing_the_cursor_first(expanding.together))
        case "random_notification_id":
            own = "uuid_send(p.id)"
            campaign_pages._FILL = _instead_of(own, "uuid_send(gen_random_uuid())", campaign_pages._FILL)
        case "pause_not_looked_at":
            shared = selectors.broadcasts
            _put(
                selectors,
                "broadcasts",
                lambda asked: {id_: replace(one, halt=None) for id_, one in shared(asked).items()},
            )
        case _:
            raise ValueError(name)


def _committing_the_cursor_first(together: Callable[..., Any]) -> Callable[..., Any]:
    from django.db import connection, transaction

    def ahead(run: Any, wave: Any, *rest: Any) -> Any:
        with transaction.atomic():
            count = together(run, wave, *rest)
            transaction.set_rollback(True)
        before, wave.cursor = wave.cursor, count.last or wave.cursor
        wave.save(update_fields=["cursor"])
        connection.connection.commit()
        wave.cursor = before
        return together(run, wave, *rest)

    return ahead


def _put(module: Any, name: str, other: Any) -> None:
    assert hasattr(module, name), f"the fence is not where it was: {name}"
    setattr(module, name, other)


def _instead_of(part: str, other: str, text: str) -> str:
    assert part in text, f"the fence is not where it was: {part}"
    return text.replace(part, other)
