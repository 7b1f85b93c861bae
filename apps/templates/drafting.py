"""A draft that several people may have open: whoever saves says which one they typed over, and a newer one is not lost."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.templates import models, selectors
from apps.templates.proving import Source
from apps.templates.selectors import VersionRow
from apps.templates.services import discard_draft, save_draft


def shown_version(tenant: Tenant, template_id: UUID) -> VersionRow | None:
    """What an editor opens with: the draft, or else what is sent."""
    current = models.TemplateVersion.objects.of(tenant).filter(template_id=template_id, template__current=F("id"))
    number = current.values_list("number", flat=True).first()
    return selectors.draft(tenant, template_id) or (
        selectors.version_by_number(tenant, template_id, number) if number is not None else None
    )


def save_over(
    *,
    tenant: Tenant,
    key: str,
    base: UUID | None,
    name: str,
    variants: Sequence[Source],
    layout: str = "",
    sample: Mapping[str, Any] | None = None,
    is_layout: bool = False,
    is_partial: bool = False,
) -> VersionRow:
    """The new draft. `base`: the version that was shown when the typing began; None: there was none.

    Raises Problem: conflict, when another one is there by now; and what `save_draft` raises.
    """
    with transaction.atomic():
        _refuse_newer(tenant, key, base)
        save_draft(
            tenant=tenant,
            key=key,
            name=name,
            variants=variants,
            layout=layout,
            sample=sample,
            is_layout=is_layout,
            is_partial=is_partial,
        )
        template = models.Template.objects.of(tenant).get(key=key)
        draft = selectors.draft(tenant, template.id)
        assert draft is not None
    return draft


def discard_over(*, tenant: Tenant, key: str, base: UUID | None) -> bool:
    """Whether there was a draft. Raises Problem: conflict, when it is not the one that was shown."""
    with transaction.atomic():
        _refuse_newer(tenant, key, base)
        return discard_draft(tenant=tenant, key=key)


def _refuse_newer(tenant: Tenant, key: str, base: UUID | None) -> None:
    """Locks the template: of two who save at once, the second one sees what the first one saved."""
    template = models.Template.objects.of(tenant).select_for_update().filter(key=key).first()
    if template is None:
        raise Problem(Code.NOT_FOUND, f"There is no template `{key}`.")
    now = shown_version(tenant, template.id)
    if now is None or now.id == base:
        return
    if now.published_at is not None:
        by = f" by {now.published_by}" if now.published_by else ""
        said = f"Version {now.number} was published{by} at {now.published_at:%H:%M:%S} UTC, after you opened this page."
    else:
        said = f"Another draft was saved at {now.created_at:%H:%M:%S} UTC, after you opened this page."
    raise Problem(Code.CONFLICT, f"{said} Nothing of either is lost: what you typed is still here.", pointer="/base")
