"""Runs whose variants are being tried: who is ahead, and the rest sent the winner when its time has come and it is known."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.campaigns import settling
from apps.campaigns.alerting import Waiting, goes_on, waits
from apps.campaigns.choosing_winner import Metric, Seen, Verdict, judge
from apps.campaigns.lifecycle import RunStatus
from apps.campaigns.models import Run
from apps.campaigns.reading import Tallied, tallied
from apps.core.enums import DeliveryStatus as D
from apps.tenants import auditing
from apps.tenants.auditing import Actor

BY_ITSELF = Actor("system", "", "by itself")
# a provider took it, whatever became of it later
_SENT = frozenset({D.SENT, D.DELIVERED, D.BOUNCED, D.UNKNOWN})


def choose_due(now: datetime) -> int:
    """Every run whose waiting time is over and whose rule is automatic; how many got a winner. Where none is clear, the rest gets the first
    variant if that was asked for; otherwise somebody is told, and it waits for a choice by hand."""
    waiting = Run.objects.all_tenants().filter(status=RunStatus.TESTING, winner=None)
    return sum(_choose(run, now) for run in waiting)


def verdict_of(run: Any) -> Verdict:
    """As of the run's last count."""
    return verdict(run.definition, tallied(run.tenant_id, run.id))


def verdict(definition: Any, counts: Iterable[Tallied]) -> Verdict:
    variants = definition.get("variants") or []
    names = [variant["name"] for variant in variants]
    return judge(seen_of(counts, [variant["position"] for variant in variants]), metric_of(definition), names)


def metric_of(definition: Any) -> Metric:
    return Metric((definition.get("test") or {}).get("metric", Metric.CLICKED))


def seen_of(counts: Iterable[Tallied], positions: Iterable[int]) -> list[Seen]:
    """Of deliveries; machines' opens are not among them."""
    found = {
        position: dict.fromkeys(("sent", "delivered", "opened", "clicked", "unsubscribed"), 0) for position in positions
    }
    for one in counts:
        into = found.get(one.variant)
        if into is None:
            continue
        into["sent"] += one.count if one.status in _SENT else 0
        into["delivered"] += one.count if one.status == D.DELIVERED else 0
        for name in ("opened", "clicked", "unsubscribed"):
            into[name] += getattr(one, name)
    return [Seen(position, **into) for position, into in found.items()]


def choose_by_hand(*, tenant_id: UUID, run_id: UUID, winner: int, by: str, now: datetime) -> bool:
    """`by`: who chose. False: it has one already, or there is nothing to choose."""
    run = Run.objects.of(tenant_id).get(id=run_id)
    return _settle(run, winner, f"{name_of(run, winner)} was chosen by {by}.", now)


def name_of(run: Any, position: int) -> str:
    """Of a variant."""
    named = {variant["position"]: variant["name"] for variant in run.definition.get("variants") or []}
    return str(named.get(position, position))


def _choose(run: Any, now: datetime) -> bool:
    tested_at, test = settling.tested_at(run), run.definition.get("test") or {}
    if tested_at is None or test.get("rule") != "automatic":
        return False
    until = tested_at + settling.wait_of(run)
    if now < until or run.tallied_at is None or run.tallied_at < until:
        return False
    found = verdict_of(run)
    if found.winner is not None:
        return _choose_by_itself(run, found.winner, found.sentence, now)
    if test.get("undecided") == "first":
        first = min(variant["position"] for variant in run.definition["variants"])
        said = f"{found.sentence} {name_of(run, first)} goes to the rest, as was asked for."
        return _choose_by_itself(run, first, said, now)
    waits(run, Waiting.WINNER, f"{found.sentence} The rest waits until somebody chooses.")
    return False


def _choose_by_itself(run: Any, winner: int, said: str, now: datetime) -> bool:
    with transaction.atomic():
        done = _settle(run, winner, said, now)
        if done:
            auditing.record(
                actor=BY_ITSELF,
                tenant_id=run.tenant_id,
                action="choose_winner",
                kind="campaigns.run",
                object_id=run.id,
                label=str(run),
                said=said,
            )
    return done


def _settle(run: Any, winner: int, said: str, now: datetime) -> bool:
    done = settling.choose(run.id, run.tenant_id, winner, now, said)
    if done:
        goes_on(run, Waiting.WINNER)
    return done
