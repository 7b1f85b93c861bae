"""A new footer reaches all mails: each template that has an older version of a layout or partial is published again as it is, with the
newer one. Each by itself, through the gate; what would break stays as it is, and says why."""

from dataclasses import dataclass

from apps.core.enums import Channel
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.templates import gate, rollout, selectors, services
from apps.templates.proving import Source

_DRAFTED = "It has a draft: publish or discard that."
_STAGED = "A version of it is being rolled out: finish or revert that."


@dataclass(frozen=True, slots=True)
class Republished:
    """`number`: of the new version; None: it stays as it is, and `why`."""

    key: str
    number: int | None
    why: str = ""


def republish(*, tenant: Tenant, key: str, by: str) -> list[Republished]:
    """By key, those that had an older version of the layout or partial `key`."""
    behind = dict.fromkeys(one.key for one in selectors.outdated(tenant) if one.part == key)
    return [_again(tenant, one, by) for one in behind]


def _again(tenant: Tenant, key: str, by: str) -> Republished:
    row = selectors.template_by_key(tenant, key)
    current = selectors.version_by_number(tenant, row.id, row.current) if row and row.current else None
    if row is None or current is None:
        return Republished(key, None, "It is gone.")
    if selectors.draft(tenant, row.id) is not None:
        return Republished(key, None, _DRAFTED)
    if rollout.rollout(tenant, key) is not None:
        return Republished(key, None, _STAGED)
    services.save_draft(
        tenant=tenant,
        key=key,
        name=row.name,
        variants=[Source(Channel(v.channel), v.locale, v.source) for v in selectors.variants(tenant, current.id)],
        layout=current.layout,
        sample=current.sample,
        is_layout=row.is_layout,
    )
    try:
        found = gate.check(tenant=tenant, key=key)
        if not found.has_breaks:
            number = services.publish(tenant=tenant, key=key, by=by, candidate=found.candidate)
            return Republished(key, number)
        why = found.errors[0].detail if found.errors else found.text
    except Problem as problem:
        why = problem.detail
    services.discard_draft(tenant=tenant, key=key)
    return Republished(key, None, why)
