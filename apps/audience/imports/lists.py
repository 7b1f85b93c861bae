"""The list that an import's people are put on."""

from uuid import UUID

from apps.audience import models
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Tenant


def list_named(tenant: Tenant, key: str, name: str = "") -> UUID:
    """The list of this key, made when there is none. Raises Problem: out_of_range, contradiction."""
    if not 1 <= len(key) <= 63 or not all(char.isascii() and (char.isalnum() or char in "-_") for char in key):
        raise Problem(
            Code.OUT_OF_RANGE, "The key of a list has 1 to 63 letters, digits, `-` and `_`.", pointer="#query/list"
        )
    kind = "list"
    row, _ = models.Segment.objects.get_or_create(
        tenant_id=tenant.id, key=key.lower(), defaults={"kind": kind, "name": name or key}
    )
    if row.kind != kind or row.archived_at is not None:
        what = "is archived" if row.archived_at else "goes by rules"
        raise Problem(
            Code.CONTRADICTION, f"The segment `{key}` {what}: nobody can be put on it.", pointer="#query/list"
        )
    found: UUID = row.id
    return found
