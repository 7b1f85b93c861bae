"""A version given to a share of the people first: who gets it is told by a hash, so the same person sees the same one each time.

    publish(..., share=5) -> 5 % get v4, all others v3
    raise_share(..., share=50); finish(...) -> v4 is current; revert(...) -> v3 for all

A share only rises. `judging.py` says when it is reverted by itself.
"""

from django.db import transaction

from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.templates.models import Action, Template, TemplateVersion
from apps.templates.publishing import WHOLE, end_rollout, locked, make_current, note, parts_of

ITSELF = "itself"


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


def revert(*, tenant: Tenant, key: str, by: str, because: str = "") -> int:
    """Everybody gets the current version again, from the next message on; its number. Raises Problem: not_found, nothing_staged."""
    with transaction.atomic():
        template, version = _staged(tenant, key)
        end_rollout(template, outcome=Action.REVERTED, because=because)
        template.staged, template.share = None, 0
        template.save(update_fields=["staged", "share", "updated_at"])
        note(template, version, action=Action.REVERTED, by=by, parts=0, because=because)
        assert template.current is not None
    return int(template.current.number)


def _staged(tenant: Tenant, key: str) -> tuple[Template, TemplateVersion]:
    template = locked(tenant, key)
    if template.staged is None:
        raise Problem(Code.NOTHING_STAGED)
    return template, template.staged
