"""Campaigns while they are written: made, changed part by part, copied, put away. Whoever saves says which version they have read;
somebody else's newer one is never overwritten."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.campaigns.definitions import CampaignValues, given
from apps.campaigns.lifecycle import CampaignStatus, Command, after
from apps.campaigns.models import Approval, Campaign, Variant
from apps.campaigns.models.agreements import Decision
from apps.campaigns.validating import check
from apps.core import ids
from apps.core.enums import Channel
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Tenant


@dataclass(frozen=True, slots=True)
class Saved:
    """`version`: of what stands there now. `changed`: the names of fields, none when it was all there already."""

    version: int
    changed: tuple[str, ...]


def create_campaign(
    *, tenant: Tenant, values: CampaignValues, by: str, now: datetime, may_critical: bool = False, **more: Any
) -> UUID:
    """A draft with one variant. `name` is needed; `more`: fields of the row that only doors set (api_key_id, request_key, ...).

    Raises Problem: as `save_part`; missing_field.
    """
    if not isinstance(values.name, str):
        raise Problem(Code.MISSING_FIELD, "A campaign has a name.", pointer="/name")
    check(tenant, values, now, may_critical=may_critical)
    fields = given(values)
    variants = fields.pop("variants", None) or [{"name": "A", "template_key": "", "weight": 1}]
    fields = {"channels": [Channel.EMAIL.value], "schedule": {"kind": "now"}} | fields
    fields["name"] = fields["name"].strip()
    fields["schedule"] = _tidy(fields["schedule"])
    with transaction.atomic():
        row = Campaign.objects.create(tenant_id=tenant.id, **_hands(by), may_critical=may_critical, **fields, **more)
        _write_variants(row, variants)
    return UUID(str(row.id))


def save_part(
    *,
    tenant: Tenant,
    campaign_id: UUID,
    values: CampaignValues,
    version: int,
    by: str,
    now: datetime,
    reopens: bool = False,
) -> Saved:
    """Sets the fields that are given. `reopens`: what is in review, approved or scheduled becomes a draft again, its approval void.

    Raises Problem: not_found; stale_version (somebody else saved meanwhile); campaign_state (it allows no change);
    validation_error or the single code, with pointers as in the API's body.
    """
    with transaction.atomic():
        row = _locked(tenant, campaign_id)
        if row.version != version:
            raise Problem(Code.STALE_VERSION, f"{row.changed_by} changed it meanwhile.", pointer="/version")
        _check_open(row, reopens=reopens)
        check(tenant, values, now, may_critical=row.may_critical)
        changed = _set(row, given(values))
        if changed:
            _reopen(row)
            _sign(row, by)
            row.save()
    return Saved(row.version, changed)


def reopen_campaign(*, tenant: Tenant, campaign_id: UUID, by: str) -> int:
    """Back to a draft that can be changed; what was asked for or approved is void. The answer is its version.

    Raises Problem: not_found, campaign_state.
    """
    with transaction.atomic():
        row = _locked(tenant, campaign_id)
        _check_open(row, reopens=True)
        if row.status != CampaignStatus.DRAFT:
            _reopen(row)
            _sign(row, by)
            row.save()
    return int(row.version)


def duplicate_campaign(*, tenant: Tenant, campaign_id: UUID, by: str, name: str = "") -> UUID:
    """A draft with the same values. Content of its own is shared until somebody writes: `own_content` copies it then. What is sent once
    stays so: it keeps no send-once key. Raises Problem: not_found."""
    row = _found(tenant, campaign_id)
    variants = Variant.objects.of(tenant).filter(campaign_id=campaign_id).order_by("position")
    with transaction.atomic():
        copy = Campaign.objects.create(
            tenant_id=tenant.id,
            **_hands(by),
            name=(name or f"{row.name} (copy)")[:200],
            **{field: getattr(row, field) for field in _COPIED},
        )
        _write_variants(
            copy, [{"name": one.name, "template_key": one.template_key, "weight": one.weight} for one in variants]
        )
    return UUID(str(copy.id))


def archive_campaign(*, tenant: Tenant, campaign_id: UUID, now: datetime, is_archived: bool = True) -> None:
    """Out of the list, or back into it. Raises Problem: not_found, campaign_state (it still does something)."""
    with transaction.atomic():
        row = _locked(tenant, campaign_id)
        if is_archived and row.status in _BUSY:
            raise Problem(Code.CAMPAIGN_STATE, f"It cannot be put away now. {CampaignStatus(row.status).sentence}")
        row.archived_at = now if is_archived else None
        row.save(update_fields=["archived_at", "updated_at"])


def delete_draft(*, tenant: Tenant, campaign_id: UUID) -> None:
    """For ever, if it was never launched. Raises Problem: not_found, campaign_state."""
    with transaction.atomic():
        row = _locked(tenant, campaign_id)
        if row.status != CampaignStatus.DRAFT or row.launched_at is not None:
            raise Problem(
                Code.CAMPAIGN_STATE, "Only a draft that was never launched can be deleted; others are archived."
            )
        Variant.objects.of(tenant).filter(campaign_id=campaign_id).delete()
        row.delete()


_COPIED = (
    *(
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
    *("expires_after", "ramp", "ramp_minutes", "test", "holdout", "budget", "brake"),
)
_BUSY = frozenset({CampaignStatus.IN_REVIEW, CampaignStatus.SCHEDULED, CampaignStatus.RUNNING, CampaignStatus.PAUSED})


def _found(tenant: Tenant, campaign_id: UUID) -> Any:
    row = Campaign.objects.of(tenant).filter(id=campaign_id).first()
    if row is None:
        raise Problem(Code.NOT_FOUND, "There is no such campaign.")
    return row


def _locked(tenant: Tenant, campaign_id: UUID) -> Any:
    row = Campaign.objects.of(tenant).select_for_update().filter(id=campaign_id).first()
    if row is None:
        raise Problem(Code.NOT_FOUND, "There is no such campaign.")
    return row


def _check_open(row: Any, *, reopens: bool) -> None:
    status = CampaignStatus(row.status)
    if after(status, Command.EDIT) is None or (status is not CampaignStatus.DRAFT and not reopens):
        raise Problem(Code.CAMPAIGN_STATE, f"It cannot be changed now. {status.sentence}")


def _hands(by: str) -> dict[str, Any]:
    return {"created_by": by[:150], "changed_by": by[:150], "editors": [by[:150]]}


def _sign(row: Any, by: str) -> None:
    row.version += 1
    row.changed_by = by[:150]
    if row.changed_by not in row.editors:
        row.editors = [*row.editors, row.changed_by]


def _reopen(row: Any) -> None:
    row.status = CampaignStatus.DRAFT
    row.next_fire_at = None
    approvals = Approval.objects.of(row.tenant_id).filter(campaign_id=row.id)
    if approvals.filter(decision=Decision.APPROVED).update(decision=Decision.VOID):
        # launched below the limits it was approved by nobody: whoever wrote it is not to approve it later
        row.editors = []
    approvals.filter(decision=Decision.ASKED).update(decision=Decision.VOID)


def _set(row: Any, said: dict[str, Any]) -> tuple[str, ...]:
    changed = []
    variants = said.pop("variants", None)
    if "name" in said:
        said["name"] = said["name"].strip()
    if "schedule" in said:
        said["schedule"] = _tidy(said["schedule"])
    for name, value in said.items():
        if getattr(row, name) != value:
            setattr(row, name, value)
            changed.append(name)
    if variants is not None and _write_variants(row, variants):
        changed.append("variants")
    return tuple(changed)


def _tidy(schedule: Mapping[str, Any]) -> dict[str, Any]:
    """Without what its kind does not speak of."""
    names = {"now": ("kind",), "at": ("kind", "start", "zone", "past")}.get(schedule["kind"], tuple(schedule))
    return {name: schedule[name] for name in names if name in schedule}


def _write_variants(row: Any, wanted: list[Mapping[str, Any]]) -> bool:
    """By position: what a place stands for stays, whoever moves in. True when something changed."""
    own = own_prefix(row.id)
    fields = ("name", "template_key", "is_own", "weight")
    rows = [
        (one["name"].strip(), one["template_key"], one["template_key"].startswith(own), one["weight"]) for one in wanted
    ]
    there = Variant.objects.of(row.tenant_id).filter(campaign_id=row.id).order_by("position")
    if list(there.values_list(*fields)) == rows:
        return False
    there.filter(position__gte=len(rows)).delete()
    Variant.objects.bulk_create(
        [
            Variant(
                id=ids.derived(row.id, "variant", place),
                tenant_id=row.tenant_id,
                campaign_id=row.id,
                position=place,
                **dict(zip(fields, values, strict=True)),
            )
            for place, values in enumerate(rows)
        ],
        update_conflicts=True,
        unique_fields=["campaign", "position"],
        update_fields=[*fields],
    )
    return True


def own_prefix(campaign_id: UUID) -> str:
    """How the keys of a campaign's own templates begin."""
    return f"campaign-{ids.show(ids.CAMPAIGN, campaign_id).removeprefix('cmp_')}-"
