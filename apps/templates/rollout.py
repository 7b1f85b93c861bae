"""A version given to a share of the people first: who gets it is told by a hash, so the same person sees the same one each time.

    publish(..., share=5) -> 5 % get v4, all others v3
    raise_share(..., share=50); finish(...) -> v4 is current; revert(...) -> v3 for all

A share only rises. `judging.py` says when it is reverted by itself.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.templates import models
from apps.templates.judging import Tally
from apps.templates.models import Action, Template, TemplateVersion
from apps.templates.publishing import WHOLE, end_rollout, locked, make_current, note, parts_of

ITSELF = "itself"
"""Whose hand it was when nobody's."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """Under way. `share` in percent. `new`, `old`: what was counted before `counted_to`, an id of its time."""

    id: UUID
    tenant_id: UUID
    tenant: str
    key: str
    version_id: UUID
    number: int
    against_id: UUID
    against: int
    share: float
    by: str
    since: datetime
    counted_to: UUID
    new: Tally
    old: Tally


_NAMES = (
    *("id", "tenant_id", "tenant__slug", "template__key", "version_id", "version__number", "against_id"),
    *("against__number", "template__share", "by", "created_at", "counted_to", "counts"),
)


def rollout(tenant: Tenant, key: str) -> Rollout | None:
    rows = models.Rollout.objects.of(tenant).filter(template__key=key, ended_at=None)
    row = rows.values_list(*_NAMES).first()
    return _rollout(row) if row else None


def rollouts() -> list[Rollout]:
    """Of all tenants, for the caretaker. One query."""
    rows = models.Rollout.objects.all_tenants().filter(ended_at=None).order_by("id")
    return [_rollout(row) for row in rows.values_list(*_NAMES)]


def _rollout(row: tuple[Any, ...]) -> Rollout:
    id, tenant_id, slug, key, version_id, number, against_id, against, share, by, since, counted_to, counts = row
    return Rollout(
        id=id,
        tenant_id=tenant_id,
        tenant=slug,
        key=key,
        version_id=version_id,
        number=number,
        against_id=against_id,
        against=against,
        share=share / 100,
        by=by,
        since=since,
        counted_to=counted_to,
        new=Tally.of(counts.get("new", {})),
        old=Tally.of(counts.get("old", {})),
    )


def advance(one: Rollout, *, to: UUID, new: Tally, old: Tally) -> bool:
    """Keeps what is counted up to there. False: another caretaker did it first."""
    rows = models.Rollout.objects.of(one.tenant_id).filter(id=one.id, counted_to=one.counted_to, ended_at=None)
    return bool(rows.update(counted_to=to, counts={"new": new.kept(), "old": old.kept()}))


def taken_back(since: datetime, told_until: datetime) -> list[tuple[str, str, bool]]:
    """(tenant's slug, key, whether it need not be told any more) of what was reverted by itself since then: something else was decided
    afterwards, or it was before `told_until`. One query."""
    rows = models.Rollout.objects.all_tenants().filter(
        outcome=Action.REVERTED, ended_at__gte=since, counts__itself=True
    )
    later = models.TemplateStep.objects.all_tenants().filter(
        template=OuterRef("template"), created_at__gt=OuterRef("ended_at"), action__in=_LATER
    )
    found = rows.values_list("tenant__slug", "template__key", Exists(later), "ended_at")
    return [(slug, key, is_decided or at < told_until) for slug, key, is_decided, at in found]


_LATER = [action for action in Action if action is not Action.REVERTED]


def raise_share(*, tenant: Tenant, key: str, share: float, by: str) -> None:
    """To `share` percent. Raises Problem: not_found, nothing_staged, out_of_range."""
    parts = parts_of(share)
    with transaction.atomic():
        template, version = _staged(tenant, key)
        if not template.share < parts < WHOLE:
            said = f"It is at {template.share / 100:g} % and only rises; `finish` gives it to everybody."
            raise Problem(Code.OUT_OF_RANGE, said, pointer="/share")
        template.share = parts
        template.save(update_fields=["share", "updated_at"])
        note(template, version, action=Action.RAISED, by=by, parts=parts)


def finish(*, tenant: Tenant, key: str, by: str) -> int:
    """It becomes current, for everybody; its number. Raises Problem: not_found, nothing_staged."""
    with transaction.atomic():
        template, version = _staged(tenant, key)
        end_rollout(template, outcome=Action.FINISHED, because="")
        make_current(template, version, action=Action.FINISHED, by=by)
    return int(version.number)


def revert(*, tenant: Tenant | UUID, key: str, by: str, because: str = "") -> int:
    """Everybody gets the current version again, from the next message on; its number. Raises Problem: not_found, nothing_staged."""
    with transaction.atomic():
        template, version = _staged(tenant, key)
        end_rollout(template, outcome=Action.REVERTED, because=because, by_itself=by == ITSELF)
        template.staged, template.share = None, 0
        template.save(update_fields=["staged", "share", "updated_at"])
        note(template, version, action=Action.REVERTED, by=by, parts=0, because=because)
        assert template.current is not None
    return int(template.current.number)


def _staged(tenant: Tenant | UUID, key: str) -> tuple[Template, TemplateVersion]:
    template = locked(tenant, key)
    if template.staged is None:
        raise Problem(Code.NOTHING_STAGED)
    return template, template.staged
