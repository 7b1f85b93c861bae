"""Runs whose variants are being tried: who is ahead, and the rest sent the winner when its time has come and it is known."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.campaigns import settling
from apps.campaigns.choosing_winner import Metric, Seen, Verdict, judge
from apps.campaigns.lifecycle import RunStatus
from apps.campaigns.models import Run
from apps.campaigns.reading import Tallied, tallied
from apps.channels.alerts import end_alert, raise_alert
from apps.core import ids
from apps.core.enums import DeliveryStatus as D

NO_WINNER = "no_clear_winner"
# a provider took it, whatever became of it later
_SENT = frozenset({D.SENT, D.DELIVERED, D.BOUNCED, D.UNKNOWN})


def choose_due(now: datetime) -> int:
    """Every run whose waiting time is over and whose rule is automatic; how many got a winner. Where none is clear, somebody is told and
    the rest waits for a choice by hand."""
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


def choose_by_hand(*, tenant_id: UUID, run_id: UUID, winner: int, now: datetime) -> bool:
    """False: it has one already, or there is nothing to choose."""
    done = settling.choose(run_id, tenant_id, winner, now)
    if done:
        end_alert(kind=NO_WINNER, subject=ids.show(ids.CAMPAIGN_RUN, run_id))
    return done


def _choose(run: Any, now: datetime) -> bool:
    tested_at, test = settling.tested_at(run), run.definition.get("test") or {}
    if tested_at is None or test.get("rule") != "automatic":
        return False
    until = tested_at + settling.wait_of(run)
    if now < until or run.tallied_at is None or run.tallied_at < until:
        return False
    found = verdict_of(run)
    if found.winner is not None:
        return choose_by_hand(tenant_id=run.tenant_id, run_id=run.id, winner=found.winner, now=now)
    text = f"{run}: {found.sentence} The rest waits until somebody chooses."
    raise_alert(kind=NO_WINNER, subject=ids.show(ids.CAMPAIGN_RUN, run.id), text=text)
    return False
