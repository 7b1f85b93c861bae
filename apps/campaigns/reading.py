"""Campaigns and their runs as frozen values, for the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, Sum

from apps.campaigns.definitions import PLAIN
from apps.campaigns.lifecycle import WaveKind
from apps.campaigns.models import Campaign, Run, Tally, Variant, Wave

_TIMES = ("created_at", "updated_at", "launched_at", "next_fire_at")
_HEAD = ("id", "status", "version", "created_by", "changed_by", "launched_by", "api_key_id", *_TIMES)
_RUN = (
    *("id", "number", "occurrence", "status", "audience_size", "throttle", "winner", "winner_said", "estimate"),
    *(
        "pause_reason",
        "pause_detail",
        "paused_by",
        "paused_at",
        "started_at",
        "expanded_at",
        "finished_at",
        "tallied_at",
    ),
)
_SUMS = ("seen", "made", "held_out", "repeated")
_COUNTS = ("count", "opened", "clicked", "complained", "unsubscribed")


@dataclass(frozen=True, slots=True)
class CampaignFacts:
    """`head`: who, when and how far; `values`: what was written, as definitions.PLAIN names it, and its variants."""

    head: Mapping[str, Any]
    values: Mapping[str, Any]

    @property
    def id(self) -> UUID:
        return self.head["id"]  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """`people`: of its waves, by seen, made, held_out and repeated. `waits`: whether some of them wait for the winner, `is_local`: on
    everybody's own clock."""

    row: Mapping[str, Any]
    people: Mapping[str, int]
    waits: bool = False
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class Tallied:
    variant: int
    channel: str
    status: str
    reason: str
    count: int
    opened: int
    clicked: int
    complained: int
    unsubscribed: int


def campaigns(
    tenant_id: UUID, *, status: str | None = None, before: UUID | None = None, limit: int = 20
) -> list[CampaignFacts]:
    """Newest first. Two queries."""
    rows = Campaign.objects.of(tenant_id).filter(**({"status": status} if status else {})).order_by("-id")
    return _facts(tenant_id, list((rows.filter(id__lt=before) if before else rows)[:limit]))


def campaign(tenant_id: UUID, campaign_id: UUID) -> CampaignFacts | None:
    found = _facts(tenant_id, list(Campaign.objects.of(tenant_id).filter(id=campaign_id)))
    return found[0] if found else None


def campaign_by_request(tenant_id: UUID, request_key: bytes) -> tuple[UUID, bytes] | None:
    """With the fingerprint of what was asked."""
    rows = Campaign.objects.of(tenant_id).filter(request_key=request_key).values_list("id", "fingerprint")
    found = rows.first()
    return (found[0], bytes(found[1] or b"")) if found else None


def runs(tenant_id: UUID, campaign_id: UUID, *, before: UUID | None = None, limit: int = 20) -> list[RunFacts]:
    """Newest first. Two queries."""
    rows = Run.objects.of(tenant_id).filter(campaign_id=campaign_id).order_by("-id")
    found = list((rows.filter(id__lt=before) if before else rows).values(*_RUN)[:limit])
    sums = Wave.objects.of(tenant_id).filter(run_id__in=[row["id"] for row in found]).values("run_id")
    waiting = Q(kind=WaveKind.REST, due_at=None)
    counts = {"waits": Count("id", filter=waiting), "clocks": Count("id", filter=waiting & ~Q(zone=""))}
    known = sums.annotate(**{f"all_{name}": Sum(name) for name in _SUMS}, **counts)
    people = {row.pop("run_id"): row for row in known}
    return [_run_facts(row, people.get(row["id"], {})) for row in found]


def tallied(tenant_id: UUID, run_id: UUID) -> list[Tallied]:
    """As of the run's `tallied_at`."""
    rows = Tally.objects.of(tenant_id).filter(run_id=run_id).order_by("variant", "channel", "status", "reason")
    return [Tallied(*row) for row in rows.values_list("variant", "channel", "status", "reason", *_COUNTS)]


def _run_facts(row: Mapping[str, Any], sums: Mapping[str, Any]) -> RunFacts:
    return RunFacts(row, _people(sums), bool(sums.get("waits")), bool(sums.get("clocks")))


def _people(sums: Mapping[str, Any]) -> dict[str, int]:
    return {name: sums.get(f"all_{name}") or 0 for name in _SUMS}


def _facts(tenant_id: UUID, rows: list[Any]) -> list[CampaignFacts]:
    variants: dict[UUID, list[dict[str, Any]]] = {}
    known = Variant.objects.of(tenant_id).filter(campaign_id__in=[row.id for row in rows]).order_by("position")
    for one in known:
        said = {"name": one.name, "template_key": one.template_key, "weight": one.weight}
        variants.setdefault(one.campaign_id, []).append(said)
    return [
        CampaignFacts(
            {name: getattr(row, name) for name in _HEAD},
            {
                **{name: getattr(row, name) for name in PLAIN},
                "expires_after_minutes": int(row.expires_after.total_seconds() // 60) if row.expires_after else None,
                "variants": variants.get(row.id, []),
            },
        )
        for row in rows
    ]
