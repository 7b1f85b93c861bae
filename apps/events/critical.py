"""Critical is governed: an event type is critical for a reason, with an owner, once somebody else than who asked for it approved.

Until then its messages are transactional: they are sent, but pass over nothing that a recipient said. An approval is for that reason
and that owner; with another, it is asked for anew.
"""

from typing import Any

from apps.core import clock
from apps.core.enums import Category
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Critical, Tenant
from apps.events import models
from apps.events.selectors import forget_cached

_NONE = {"critical_reason": "", "critical_asked_by": "", "critical_approved_by": "", "critical_approved_at": None}


def governed(known: models.EventType | None, category: Category, owner: str, asked: Critical | None) -> dict[str, Any]:
    """The columns that say so, after a change. An approval stays as long as reason and owner do."""
    if category != Category.CRITICAL or asked is None:
        return dict(_NONE)
    is_approved = bool(asked.approved_by)
    if (
        not is_approved
        and known is not None
        and known.category == Category.CRITICAL
        and (known.critical_reason, known.owner) == (asked.reason, owner)
        and known.critical_asked_by
    ):
        return {name: getattr(known, name) for name in _NONE}
    return {
        "critical_reason": asked.reason,
        "critical_asked_by": asked.asked_by,
        "critical_approved_by": asked.approved_by,
        "critical_approved_at": clock.now() if is_approved else None,
    }


def approve_critical(*, tenant: Tenant, key: str, by: str) -> None:
    """Raises Problem: not_found, nothing_to_approve, critical_own_request. Two at once: one of them has nothing to approve."""
    rows = models.EventType.objects.of(tenant).filter(key=key)
    asked_by = rows.values_list("critical_asked_by", flat=True).first() if key.isprintable() else None
    if asked_by is None:
        raise Problem(Code.NOT_FOUND, f"There is no event type `{key}`.")
    if asked_by == by:
        raise Problem(Code.CRITICAL_OWN_REQUEST)
    pending = rows.filter(category=Category.CRITICAL, critical_approved_by="", critical_asked_by=asked_by).exclude(
        critical_asked_by=""
    )
    if not pending.update(critical_approved_by=by, critical_approved_at=clock.now(), updated_at=clock.now()):
        raise Problem(Code.NOTHING_TO_APPROVE)
    forget_cached()
