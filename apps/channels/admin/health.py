"""What an account's page says about its health."""

from dataclasses import dataclass
from typing import Any

from apps.channels import health
from apps.channels.alerts import AlertKind, end_alert
from apps.channels.breaking import Record
from apps.core.admin_bases import ago


@dataclass(frozen=True, slots=True)
class Health:
    """`word`: well, slowed, recovering, in trouble."""

    word: str
    sentence: str


def seen_health(account: Any) -> Health:
    """One trip to Redis at most; what was read half a second ago is good enough."""
    record, now = health.records([account.key])[account.key], health.now()
    phase = record.phase(now)
    facts = [_rate(record), _codes(record)]
    if phase == "open":
        facts.insert(0, f"breaker open for {ago(now - record.since)}, probed in {ago(record.till - now)}")
    elif phase == "half-open":
        facts.insert(0, f"breaker half-open, in trouble for {ago(now - record.since)}, {record.good:.0f} good probes")
    elif record.pause > now:
        facts.insert(0, f"told to wait {ago(record.pause - now)}")
    elif ceiling := record.ceiling(now):
        facts.insert(0, f"at most {ceiling:.0f} a second for now")
    if record.doubted > now:
        facts.insert(0, "its receipts are missing")
    is_slowed = record.pause > now or record.ceiling(now) > 0 or record.doubted > now
    word = {"open": "in trouble", "half-open": "recovering"}.get(phase) or ("slowed" if is_slowed else "well")
    return Health(word, "; ".join(fact for fact in facts if fact))


def forget_health(account: Any) -> None:
    try:
        health.reset(account.key)
    finally:
        end_alert(kind=AlertKind.BREAKER, subject=account.key)


def _rate(record: Record) -> str:
    return f"{record.errors / record.calls:.0%} of {record.calls:.0f} calls went wrong" if record.errors else ""


def _codes(record: Record) -> str:
    worst = sorted(record.codes.items(), key=lambda code: -code[1])[:3]
    return ", ".join(f"{code} {count:.0f}x" for code, count in worst)
