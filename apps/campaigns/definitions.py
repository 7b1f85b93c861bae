"""What a campaign consists of: the values that may be given, what is wrong with them by themselves, and the whole as it is agreed to and
launched. Pure, but for the versions that a snapshot pins."""

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from apps.core.bodies import Body
from apps.core.enums import Category, Channel, KeyMode, Priority
from apps.templates import rendering

MOST_VARIANTS = 8
MOST_DATA = 64 * 1024
MOST_STEPS = 10
YEAR_MINUTES = 366 * 24 * 60
LETTERS = "ABCDEFGH"

Percent = Annotated[float, Meta(ge=0, le=100)]
Micros = Annotated[int, Meta(ge=0, le=10**15, description="Millionths of the tenant's currency.")]
Minutes = Annotated[int, Meta(ge=1, le=YEAR_MINUTES)]


class VariantValues(Body, frozen=True):
    """One wording: a template by its key. `weight`: its share among the variants."""

    name: Annotated[str, Meta(min_length=1, max_length=63)]
    template_key: Annotated[str, Meta(max_length=100)] = ""
    weight: Annotated[int, Meta(ge=1, le=100)] = 1


class AudienceValues(Body, frozen=True):
    """Rule trees as segments have them. Nobody in `exclude` gets it."""

    include: dict[str, Any]
    exclude: dict[str, Any] | None = None


class ScheduleValues(Body, frozen=True):
    """`start`: on the wall of `zone` (IANA, or `recipient`: everybody's own). `rule`: RFC 5545. `past`: for those on whose clock the time
    is over at the launch."""

    kind: Literal["now", "at", "recurring"] = "now"
    start: Annotated[str, Meta(max_length=19)] = ""
    zone: Annotated[str, Meta(max_length=64)] = "UTC"
    rule: Annotated[str, Meta(max_length=500)] = ""
    exdates: Annotated[list[Annotated[str, Meta(min_length=10, max_length=19)]], Meta(max_length=500)] = []
    past: Literal["send", "next_day", "skip"] = "send"


class TestValues(Body, frozen=True):
    """`share`: percent of the people whom the variants are tried on; the others get the winner after `wait_minutes`. `undecided`: what
    becomes of them where none is clearly better by then: `wait` until somebody chooses, or `first`: they get the first variant."""

    share: Annotated[float, Meta(ge=1, le=90)] = 20
    metric: Literal["opened", "clicked", "delivered"] = "clicked"
    wait_minutes: Annotated[int, Meta(ge=5, le=14 * 24 * 60)] = 240
    rule: Literal["automatic", "by_hand"] = "automatic"
    undecided: Literal["wait", "first"] = "wait"


class CampaignValues(Body, frozen=True):
    """What is left out stays as it is. `expires_after_minutes`, `test`: null takes them away."""

    name: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    mode: KeyMode | UnsetType = UNSET
    category: Category | UnsetType = UNSET
    event_type: Annotated[str, Meta(max_length=100)] | UnsetType = UNSET
    channels: Annotated[list[Channel], Meta(max_length=4)] | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    audience: AudienceValues | UnsetType | None = UNSET
    is_frozen: bool | UnsetType = UNSET
    data: dict[str, Any] | UnsetType = UNSET
    variants: Annotated[list[VariantValues], Meta(min_length=1, max_length=MOST_VARIANTS)] | UnsetType = UNSET
    schedule: ScheduleValues | UnsetType = UNSET
    throttle: (
        Annotated[int, Meta(ge=0, le=10_000_000, description="People a minute; 0: as fast as it goes.")] | UnsetType
    ) = UNSET
    expires_after_minutes: Minutes | UnsetType | None = UNSET
    ramp: Annotated[list[Percent], Meta(max_length=MOST_STEPS)] | UnsetType = UNSET
    ramp_minutes: Annotated[int, Meta(ge=1, le=7 * 24 * 60)] | UnsetType = UNSET
    test: TestValues | UnsetType | None = UNSET
    holdout: Annotated[int, Meta(ge=0, le=50)] | UnsetType = UNSET
    budget: dict[str, Micros] | UnsetType = UNSET
    brake: dict[str, Percent] | UnsetType = UNSET
    send_once_key: Annotated[str, Meta(max_length=100)] | UnsetType = UNSET


def given(values: CampaignValues) -> dict[str, Any]:
    """The fields of a campaign's row that are to be set, `variants` apart; plain values."""
    said: dict[str, Any] = {
        name: msgspec.to_builtins(value)
        for name in values.__struct_fields__
        if (value := getattr(values, name)) is not UNSET
    }
    if "expires_after_minutes" in said:
        minutes = said.pop("expires_after_minutes")
        said["expires_after"] = None if minutes is None else timedelta(minutes=minutes)
    if "test" in said:
        said["test"] = said["test"] or {}
    if "audience" in said:
        said["audience"] = said["audience"] or {}
    if "channels" in said:
        said["channels"] = list(dict.fromkeys(said["channels"]))
    return said


PLAIN = (
    *(
        "name",
        "mode",
        "category",
        "event_type",
        "channels",
        "priority",
        "audience",
        "is_frozen",
        "data",
        "schedule",
        "throttle",
    ),
    *("ramp", "ramp_minutes", "test", "holdout", "budget", "brake", "send_once_key"),
)


def snapshot(campaign: Any, variants: Iterable[Any]) -> dict[str, Any]:
    """The rows as one JSON value: what is agreed to and what a run is made of. Every variant names the version of its template that is
    current now (`version_id`, `version`; None: nothing is published)."""
    rows = sorted(variants, key=lambda row: row.position)
    pairs = [(campaign.tenant_id, row.template_key) for row in rows if row.template_key]
    current = rendering.published(pairs) if pairs else {}
    after = campaign.expires_after
    return {
        **{name: getattr(campaign, name) for name in PLAIN},
        "channels": list(campaign.channels),
        "expires_after_minutes": None if after is None else int(after.total_seconds() // 60),
        "variants": [_variant(row, current.get((campaign.tenant_id, row.template_key))) for row in rows],
    }


def _variant(row: Any, content: Any) -> dict[str, Any]:
    return {
        "position": row.position,
        "name": row.name,
        "template_key": row.template_key,
        "is_own": row.is_own,
        "weight": row.weight,
        "version_id": str(content.version.id) if content else None,
        "version": content.version.number if content else None,
    }


def digest(snapshot: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON, hex."""
    text = json.dumps(snapshot, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return sha256(text.encode()).hexdigest()
