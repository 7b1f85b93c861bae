"""A draft is proven and becomes a version that never changes, with its layout and partials as they are then.

When a layout or a partial is published, nothing that uses it changes: each template keeps what it was published with until it is
published again. `selectors.outdated` lists those.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from apps.core import clock, ids
from apps.core.enums import Channel
from apps.core.problem_codes import Code
from apps.core.problems import FieldError, Problem
from apps.core.types import Tenant
from apps.templates import models
from apps.templates.models import Action
from apps.templates.parsed import Version, versions
from apps.templates.proving import Proof, Source, prove

WHOLE = 10_000


def publish(*, tenant: Tenant, key: str, by: str, share: float = 100.0, candidate: UUID | None = None) -> int:
    """The draft becomes the current version, or that of `share` percent of the people; the answer is its number. `candidate`: the draft
    that is meant, if no other will do.

    Raises Problem: not_found, nothing_to_publish, conflict (another version is being rolled out; the draft is another by now),
    out_of_range (share), template_invalid with every place that is wrong.
    """
    parts = parts_of(share)
    with transaction.atomic():
        template = locked(tenant, key)
        draft = draft_of(tenant, template)
        _refuse_second(template)
        if candidate is not None and candidate != draft.id:
            raise Problem(Code.CONFLICT, "Somebody saved another draft meanwhile: look at that one first.")
        if parts < WHOLE:
            _refuse_staging(template)
        proof, layout = proven(tenant, template, draft)
        _refuse(proof.errors)
        rows = list(models.TemplateVariant.objects.of(tenant).filter(version=draft).order_by("id"))
        for row, compiled in zip(rows, proof.compiled, strict=True):
            row.compiled = dict(compiled)
        models.TemplateVariant.objects.bulk_update(rows, ["compiled"])
        models.TemplatePart.objects.bulk_create(
            models.TemplatePart(id=ids.new(), tenant_id=tenant.id, version=draft, part_id=part) for part in proof.parts
        )
        models.TemplateVersion.objects.of(tenant).filter(id=draft.id).update(
            published_at=clock.now(), published_by=by[:150], layout_version_id=layout.id if layout else None
        )
        if parts < WHOLE:
            _stage(template, draft, parts=parts, by=by)
        else:
            make_current(template, draft, action=Action.PUBLISHED, by=by)
    return int(draft.number)


def rollback(*, tenant: Tenant, key: str, to_number: int, by: str) -> int:
    """An earlier (or later) published version becomes current again, for everybody: a rollout under way ends.

    Raises Problem: not_found.
    """
    with transaction.atomic():
        template = locked(tenant, key)
        chosen = (
            models.TemplateVersion.objects.of(tenant)
            .filter(template=template, number=to_number, published_at__isnull=False)
            .first()
        )
        if chosen is None:
            raise Problem(Code.NOT_FOUND, f"There is no published version {to_number}.", pointer="/version")
        end_rollout(template, outcome=Action.ROLLED_BACK, because=f"Version {to_number} was made current.")
        make_current(template, chosen, action=Action.ROLLED_BACK, by=by)
    return to_number


def proven(tenant: Tenant, template: models.Template, draft: models.TemplateVersion) -> tuple[Proof, Version | None]:
    """With the layout's version of now. Raises Problem: template_invalid, when that is not published."""
    rows = models.TemplateVariant.objects.of(tenant).filter(version=draft).order_by("id")
    layout = _layout(tenant, draft)
    proof = prove(
        tenant=tenant,
        sources=[Source(Channel(row.channel), row.locale, row.source) for row in rows],
        sample=draft.sample,
        layout=layout,
        is_layout=template.is_layout,
        is_partial=template.is_partial,
        version_id=draft.id,
        number=draft.number,
    )
    return proof, layout


def locked(tenant: Tenant | UUID, key: str) -> models.Template:
    """Within a transaction. Raises Problem: not_found."""
    rows = models.Template.objects.of(tenant).select_for_update().filter(key=key)
    found: models.Template | None = rows.first() if key.isprintable() else None
    if found is None:
        raise Problem(Code.NOT_FOUND, f"There is no template `{key}`.")
    return found


def draft_of(tenant: Tenant, template: models.Template) -> models.TemplateVersion:
    draft: models.TemplateVersion | None = (
        models.TemplateVersion.objects.of(tenant).filter(template=template, published_at=None).first()
    )
    if draft is None:
        raise Problem(Code.NOTHING_TO_PUBLISH)
    return draft


def parts_of(share: float) -> int:
    """Percent in parts of 10,000."""
    parts = round(share * 100)
    if not 1 <= parts <= WHOLE:
        raise Problem(Code.OUT_OF_RANGE, "The share is 0.01 to 100 percent of the people.", pointer="/share")
    return parts


def make_current(template: models.Template, version: models.TemplateVersion, *, action: Action, by: str) -> None:
    template.current, template.staged, template.share = version, None, 0
    template.save(update_fields=["current", "staged", "share", "updated_at"])
    note(template, version, action=action, by=by)


def end_rollout(template: models.Template, *, outcome: Action, because: str, by_itself: bool = False) -> None:
    """Nothing, where none is under way."""
    one = models.Rollout.objects.of(template.tenant_id).filter(template=template, ended_at=None).first()
    if one is not None:
        one.ended_at, one.outcome, one.because = clock.now(), outcome, because[:500]
        one.counts = {**one.counts, "itself": by_itself}
        one.save(update_fields=["ended_at", "outcome", "because", "counts", "updated_at"])


def note(
    template: models.Template,
    version: models.TemplateVersion,
    *,
    action: Action,
    by: str,
    parts: int = WHOLE,
    because: str = "",
) -> None:
    models.TemplateStep.objects.create(
        tenant_id=template.tenant_id,
        template=template,
        version=version,
        action=action,
        by=by[:150],
        share=parts,
        because=because[:500],
    )


def _stage(template: models.Template, version: models.TemplateVersion, *, parts: int, by: str) -> None:
    assert template.current is not None
    template.staged, template.share = version, parts
    template.save(update_fields=["staged", "share", "updated_at"])
    models.Rollout.objects.create(
        tenant_id=template.tenant_id, template=template, version=version, against=template.current, by=by[:150]
    )
    note(template, version, action=Action.STAGED, by=by, parts=parts)


def _refuse_second(template: models.Template) -> None:
    if template.staged is not None:
        said = f"Version {template.staged.number} goes to {template.share / 100:g} % of the people: finish or revert it first."
        raise Problem(Code.CONFLICT, said)


def _refuse_staging(template: models.Template) -> None:
    if template.is_layout or template.is_partial:
        raise Problem(Code.CONTRADICTION, "Layouts and partials are published whole.", pointer="/share")
    if template.current is None:
        raise Problem(Code.CONTRADICTION, "The first version goes to everybody.", pointer="/share")


def _refuse(errors: Sequence[FieldError]) -> None:
    if errors:
        said = errors[0].detail if len(errors) == 1 else f"{len(errors)} things are wrong."
        raise Problem(Code.TEMPLATE_INVALID, said, errors=errors)


def _layout(tenant: Tenant, version: models.TemplateVersion) -> Version | None:
    if version.layout_id is None:
        return None
    layout = models.Template.objects.of(tenant).get(id=version.layout_id)
    if layout.current_id is None:
        raise Problem(Code.TEMPLATE_INVALID, f"The layout `{layout.key}` is not published yet.", pointer="/layout")
    return versions([layout.current_id])[layout.current_id].version
