"""The life of a template: drafts replaced, proven, published, rolled back. Every published version is kept."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F, Max, Q

from apps.core import clock, ids
from apps.core.enums import Channel
from apps.core.locales import canonical_locale
from apps.core.problem_codes import Code
from apps.core.problems import FieldError, Problem
from apps.core.types import Tenant
from apps.templates import models
from apps.templates.content import FIELDS, LAYOUT_FIELDS
from apps.templates.parsed import Version
from apps.templates.proving import Source, dependants_broken_by, prove
from apps.templates.selectors import compiled_variants

__all__ = ["Source", "publish", "publish_changes", "rollback", "save_draft"]

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
) -> Saved:
    """Replaces the one draft. It may be broken: publishing is what proves it.

    Raises Problem: validation_error (or the single code) with pointers into the body of PUT /v1/templates/{key}; conflict.
    """
    if not KEY.fullmatch(key):
        raise Problem(Code.OUT_OF_RANGE, KEY_RULE, pointer="#path/key")
    rows = _checked(variants, is_layout=is_layout)
    if is_layout and layout:
        raise Problem(Code.CONTRADICTION, "A layout has no layout of its own.", pointer="/layout")
    with transaction.atomic():
        _, is_new = models.Template.objects.of(tenant).get_or_create(
            tenant_id=tenant.id, key=key, defaults={"name": name, "is_layout": is_layout}
        )
        template = models.Template.objects.of(tenant).select_for_update().get(key=key)
        _set_kind(template, name=name, is_layout=is_layout)
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


def publish(*, tenant: Tenant, key: str, by: str) -> int:
    """The draft becomes the current version; the answer is its number.

    Raises Problem: not_found, nothing_to_publish, template_invalid with every place that is wrong.
    """
    with transaction.atomic():
        template = _locked(tenant, key)
        drafts = models.TemplateVersion.objects.of(tenant).filter(template=template, published_at=None)
        draft = drafts.first()
        if draft is None:
            raise Problem(Code.NOTHING_TO_PUBLISH)
        rows = list(models.TemplateVariant.objects.of(tenant).filter(version=draft).order_by("id"))
        proof = prove(
            tenant=tenant,
            sources=[Source(Channel(row.channel), row.locale, row.source) for row in rows],
            sample=draft.sample,
            layout=_current_layout(tenant, draft),
            is_layout=template.is_layout,
            version_id=draft.id,
            number=draft.number,
        )
        _refuse(proof.errors)
        for row, compiled in zip(rows, proof.compiled, strict=True):
            row.compiled = dict(compiled)
        if template.is_layout:
            proven = [(row.channel, row.locale, row.compiled) for row in rows]
            _refuse_for_dependants(tenant, template, Version(draft.id, draft.number, proven, is_layout=True))
        models.TemplateVariant.objects.bulk_update(rows, ["compiled"])
        drafts.update(published_at=clock.now(), published_by=by[:150])
        _make_current(template, draft, action="published", by=by)
    return int(draft.number)


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


def rollback(*, tenant: Tenant, key: str, to_number: int, by: str) -> int:
    """An earlier (or later) published version becomes current again. Refused when today's layout would break it, or it would
    break what wears it.

    Raises Problem: not_found, template_invalid.
    """
    with transaction.atomic():
        template = _locked(tenant, key)
        chosen = (
            models.TemplateVersion.objects.of(tenant)
            .filter(template=template, number=to_number, published_at__isnull=False)
            .first()
        )
        if chosen is None:
            raise Problem(Code.NOT_FOUND, f"There is no published version {to_number}.", pointer="/version")
        version = _version(chosen, is_layout=template.is_layout)
        if template.is_layout:
            _refuse_for_dependants(tenant, template, version)
        elif (layout := _current_layout(tenant, chosen)) is not None:
            _refuse(dependants_broken_by(tenant=tenant, layout=layout, users=iter([(key, version, chosen.sample)])))
        _make_current(template, chosen, action="rolled_back", by=by)
    return to_number


def _checked(variants: Sequence[Source], *, is_layout: bool) -> list[Source]:
    """With canonical locales. All that is wrong is said at once."""
    errors: list[FieldError] = []
    rows: list[Source] = []
    if len(variants) > MOST_VARIANTS:
        errors.append(FieldError("/variants", Code.OUT_OF_RANGE, f"At most {MOST_VARIANTS} variants."))
    for index, variant in enumerate(variants[:MOST_VARIANTS]):
        fields = LAYOUT_FIELDS if is_layout else FIELDS[variant.channel]
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


def _set_kind(template: models.Template, *, name: str, is_layout: bool) -> None:
    if template.is_layout != is_layout and template.current_id is not None:
        kind = "a layout" if template.is_layout else "not a layout"
        raise Problem(Code.CONFLICT, f"`{template.key}` is {kind} and stays so.", pointer="/is_layout")
    if (template.name, template.is_layout) != (name, is_layout):
        template.name, template.is_layout = name, is_layout
        template.save(update_fields=["name", "is_layout", "updated_at"])


def _layout(tenant: Tenant, key: str) -> models.Template:
    rows = models.Template.objects.of(tenant).filter(key=key, is_layout=True)
    found: models.Template | None = rows.first() if key.isprintable() else None
    if found is None:
        raise Problem(Code.UNKNOWN_TEMPLATE, f"There is no layout `{key}`.", pointer="/layout")
    return found


def _locked(tenant: Tenant, key: str) -> models.Template:
    rows = models.Template.objects.of(tenant).select_for_update().filter(key=key)
    found: models.Template | None = rows.first() if key.isprintable() else None
    if found is None:
        raise Problem(Code.NOT_FOUND, f"There is no template `{key}`.")
    return found


def _current_layout(tenant: Tenant, version: models.TemplateVersion) -> Version | None:
    """Locked, so that the layout cannot change between this proof and the commit. Layouts lock nothing else: no deadlock."""
    if version.layout_id is None:
        return None
    layout = models.Template.objects.of(tenant).select_for_update().get(id=version.layout_id)
    if layout.current_id is None:
        raise Problem(Code.TEMPLATE_INVALID, f"The layout `{layout.key}` is not published yet.", pointer="/layout")
    return _version(models.TemplateVersion.objects.of(tenant).get(id=layout.current_id), is_layout=True)


def _version(row: models.TemplateVersion, *, is_layout: bool) -> Version:
    return Version(row.id, row.number, compiled_variants([row.id]).get(row.id, ()), is_layout=is_layout)


def _refuse_for_dependants(tenant: Tenant, layout: models.Template, version: Version) -> None:
    users = models.TemplateVersion.objects.of(tenant).filter(layout=layout, template__current=F("id"))
    rows = list(users.values_list("id", "number", "template__key", "sample"))
    variants = compiled_variants(row[0] for row in rows)

    def each() -> Iterator[tuple[str, Version, Mapping[str, Any]]]:
        for id, number, key, sample in rows:
            yield key, Version(id, number, variants.get(id, ())), sample

    _refuse(dependants_broken_by(tenant=tenant, layout=version, users=each()))


def _refuse(errors: Sequence[FieldError]) -> None:
    if errors:
        said = errors[0].detail if len(errors) == 1 else f"{len(errors)} things are wrong."
        raise Problem(Code.TEMPLATE_INVALID, said, errors=errors)


def _make_current(template: models.Template, version: models.TemplateVersion, *, action: str, by: str) -> None:
    template.current = version
    template.save(update_fields=["current", "updated_at"])
    models.TemplateStep.objects.create(
        tenant_id=template.tenant_id, template=template, version=version, action=action, by=by[:150]
    )
