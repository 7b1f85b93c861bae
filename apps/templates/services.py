"""The life of a template: drafts replaced, published when they changed. publishing.py and rollout.py are the rest of it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F, Max, Q

from apps.core import ids
from apps.core.locales import canonical_locale
from apps.core.problem_codes import Code
from apps.core.problems import FieldError, Problem
from apps.core.types import Tenant
from apps.templates import models
from apps.templates.content import fields_of
from apps.templates.proving import Source, refuse_bad_sample
from apps.templates.publishing import publish, rollback

__all__ = ["Source", "discard_draft", "publish", "publish_changes", "rollback", "save_draft"]

MOST_VARIANTS = 200
KEY = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
KEY_RULE = "A key has 1 to 100 lower-case letters, digits, `_`, `.` and `-`, and begins with a letter or digit."


class Saved(NamedTuple):
    """`number`: of the draft's version. `is_new`: the template was made for it."""

    number: int
    is_new: bool


def save_draft(
    *,
    tenant: Tenant,
    key: str,
    name: str,
    variants: Sequence[Source],
    layout: str = "",
    sample: Mapping[str, Any] | None = None,
    is_layout: bool = False,
    is_partial: bool = False,
) -> Saved:
    """Replaces the one draft. It may be broken: publishing is what proves it.

    Raises Problem: validation_error (or the single code) with pointers into the body of PUT /v1/templates/{key}; conflict.
    """
    if not KEY.fullmatch(key):
        raise Problem(Code.OUT_OF_RANGE, KEY_RULE, pointer="#path/key")
    refuse_bad_sample(sample or {}, "/sample")
    rows = _checked(variants, is_layout=is_layout, is_partial=is_partial)
    if is_layout and is_partial:
        raise Problem(Code.CONTRADICTION, "A template is a layout or a partial, not both.", pointer="/is_partial")
    if (is_layout or is_partial) and layout:
        kind = "layout" if is_layout else "partial"
        raise Problem(Code.CONTRADICTION, f"A {kind} has no layout of its own.", pointer="/layout")
    with transaction.atomic():
        _, is_new = models.Template.objects.of(tenant).get_or_create(
            tenant_id=tenant.id, key=key, defaults={"name": name, "is_layout": is_layout, "is_partial": is_partial}
        )
        template = models.Template.objects.of(tenant).select_for_update().get(key=key)
        _set_kind(template, name=name, is_layout=is_layout, is_partial=is_partial)
        outer = _layout(tenant, layout) if layout else None
        versions = models.TemplateVersion.objects.of(tenant).filter(template=template)
        versions.filter(published_at=None).delete()
        number = (versions.aggregate(last=Max("number"))["last"] or 0) + 1
        draft = models.TemplateVersion.objects.create(
            tenant_id=tenant.id, template=template, number=number, layout=outer, sample=dict(sample or {})
        )
        models.TemplateVariant.objects.bulk_create(
            models.TemplateVariant(
                id=ids.new(),
                tenant_id=tenant.id,
                version=draft,
                channel=row.channel,
                locale=row.locale,
                source=row.content,
            )
            for row in rows
        )
    return Saved(number, is_new)


def discard_draft(*, tenant: Tenant, key: str) -> bool:
    """Whether there was one. What is published stays."""
    drafts = models.TemplateVersion.objects.of(tenant).filter(template__key=key, published_at=None)
    return bool(key.isprintable() and drafts.delete()[0])


def publish_changes(
    *,
    tenant: Tenant,
    key: str,
    name: str,
    variants: Sequence[Source],
    by: str,
    layout: str = "",
    sample: Mapping[str, Any] | None = None,
    is_layout: bool = False,
) -> bool:
    """For content that is kept as code: saves and publishes it, unless just that is current already. True when it published.

    Raises Problem: as `save_draft` and `publish`.
    """
    current = (
        models.TemplateVersion.objects.of(tenant)
        .filter(template__key=key, template__current=F("id"), template__is_layout=is_layout, sample=dict(sample or {}))
        .filter(Q(layout__key=layout) if layout else Q(layout=None))
        .first()
    )
    if current is not None:
        rows = models.TemplateVariant.objects.of(tenant).filter(version=current).order_by("id")
        wanted = [(each.channel.value, each.locale, dict(each.content)) for each in variants]
        if list(rows.values_list("channel", "locale", "source")) == wanted:
            return False
    with transaction.atomic():
        save_draft(
            tenant=tenant, key=key, name=name, variants=variants, layout=layout, sample=sample, is_layout=is_layout
        )
        publish(tenant=tenant, key=key, by=by)
    return True


def _checked(variants: Sequence[Source], *, is_layout: bool, is_partial: bool) -> list[Source]:
    """With canonical locales. All that is wrong is said at once."""
    errors: list[FieldError] = []
    rows: list[Source] = []
    if len(variants) > MOST_VARIANTS:
        errors.append(FieldError("/variants", Code.OUT_OF_RANGE, f"At most {MOST_VARIANTS} variants."))
    for index, variant in enumerate(variants[:MOST_VARIANTS]):
        fields = fields_of(variant.channel, is_layout=is_layout, is_partial=is_partial)
        locale = canonical_locale(variant.locale) if variant.locale else ""
        if locale is None:
            said = f"`{variant.locale}` is not a known locale."
            errors.append(FieldError(f"/variants/{index}/locale", Code.INVALID_LOCALE, said))
            continue
        if any(row.channel is variant.channel and row.locale == locale for row in rows):
            said = f"{variant.channel} has two variants for `{locale}`."
            errors.append(FieldError(f"/variants/{index}", Code.CONTRADICTION, said))
        for name, text in variant.content.items():
            pointer = f"/variants/{index}/content/{name}"
            if name not in fields:
                said = f"`{name}` is not a field of {variant.channel}: {', '.join(fields)}."
                errors.append(FieldError(pointer, Code.UNKNOWN_FIELD, said))
            elif len(text) > fields[name].most:
                errors.append(FieldError(pointer, Code.OUT_OF_RANGE, f"At most {fields[name].most:,} characters."))
            elif "\x00" in text:
                errors.append(FieldError(pointer, Code.NUL_BYTE, "U+0000 is not allowed."))
        rows.append(Source(variant.channel, locale, dict(variant.content)))
    if errors:
        code = Code[errors[0].code.upper()] if len(errors) == 1 else Code.VALIDATION_ERROR
        raise Problem(code, errors[0].detail if len(errors) == 1 else "", errors=errors)
    return rows


def _set_kind(template: models.Template, *, name: str, is_layout: bool, is_partial: bool) -> None:
    if (template.is_layout, template.is_partial) != (is_layout, is_partial) and template.current_id is not None:
        kind = "a layout" if template.is_layout else "a partial" if template.is_partial else "not a layout"
        pointer = "/is_layout" if template.is_layout != is_layout else "/is_partial"
        if template.is_layout == is_layout and not template.is_partial:
            kind = "not a partial"
        raise Problem(Code.CONFLICT, f"`{template.key}` is {kind} and stays so.", pointer=pointer)
    if (template.name, template.is_layout, template.is_partial) != (name, is_layout, is_partial):
        template.name, template.is_layout, template.is_partial = name, is_layout, is_partial
        template.save(update_fields=["name", "is_layout", "is_partial", "updated_at"])


def _layout(tenant: Tenant, key: str) -> models.Template:
    rows = models.Template.objects.of(tenant).filter(key=key, is_layout=True)
    found: models.Template | None = rows.first() if key.isprintable() else None
    if found is None:
        raise Problem(Code.UNKNOWN_TEMPLATE, f"There is no layout `{key}`.", pointer="/layout")
    return found
