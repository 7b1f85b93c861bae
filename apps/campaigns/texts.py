"""The texts of a campaign's variants as the composer looks at them: which there are, what names which attribute, what stands in."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.campaigns.owning import version_of
from apps.core.enums import Category, Channel
from apps.core.types import Recipient, Tenant
from apps.templates import selectors as templates
from apps.templates.content import FIELDS
from apps.templates.proving import Source
from apps.templates.trying import Kind, Trial, try_source
from apps.templates.variables import variables_of

KNOWN = frozenset({"user_id", "locale", "timezone"})
MOST_SHOWN = 3
_DEFAULT = r"(?:recipient|user)\.%s\s*\|[^}]*?default:\s*(['\"])(.*?)\1"


@dataclass(frozen=True, slots=True)
class Texts:
    """Of one variant: what is sent if it was launched now. `number`: None: it is a draft, and cannot be sent yet. `has_newer_draft`:
    what is written there is not what is sent."""

    name: str
    row: templates.TemplateRow
    version: templates.VersionRow
    sources: tuple[templates.VariantRow, ...]
    has_newer_draft: bool

    @property
    def number(self) -> int | None:
        return self.version.number if self.version.published_at else None

    def locales(self, channel: str) -> list[str]:
        """ "" first: the one for all others."""
        return sorted({one.locale for one in self.sources if one.channel == channel})

    def source(self, channel: str, locale: str) -> templates.VariantRow | None:
        return next((one for one in self.sources if (one.channel, one.locale) == (channel, locale)), None)


@dataclass(frozen=True, slots=True)
class StandIn:
    """An attribute that a text names. `default`: what is written instead; None: nothing is, and nothing would be sent."""

    name: str
    default: str | None


def texts_of(
    tenant: Tenant, variants: Iterable[Any], pinned: Mapping[tuple[int, str], int] | None = None
) -> dict[int, Texts]:
    """By position; without those that have no template or no content. `pinned`: versions by position and template key, instead of what is
    current. A few queries for each variant."""
    found = {}
    for variant in variants:
        row = templates.template_by_key(tenant, variant.template_key) if variant.template_key else None
        number = (pinned or {}).get((variant.position, variant.template_key))
        if row is not None and number is not None:
            version = templates.version_by_number(tenant, row.id, number)
        else:
            version = version_of(tenant, row) if row is not None else None
        if row is None or version is None:
            continue
        draft = templates.draft(tenant, row.id) if version.published_at else None
        sources = tuple(templates.variants(tenant, version.id))
        found[variant.position] = Texts(variant.name, row, version, sources, draft is not None)
    return found


def try_text(
    tenant: Tenant,
    texts: Texts,
    source: templates.VariantRow,
    *,
    category: Category,
    data: Mapping[str, Any],
    person: Recipient | None = None,
) -> Trial:
    """Rendered as it would be sent with the campaign's data, and linted."""
    return try_source(
        tenant=tenant,
        source=Source(Channel(source.channel), source.locale, dict(source.source)),
        kind=Kind(layout=texts.version.layout, category=category),
        sample={**texts.version.sample, **data},
        person=person,
    )


def stand_ins(texts: Iterable[Texts]) -> list[StandIn]:
    """Attributes of people that the texts name, each with what is written for those who have none: in every language its own."""
    found: dict[str, list[str | None]] = {}
    for one in texts:
        for source in sorted(one.sources, key=lambda source: source.locale):
            for variable in variables_of(source.source, FIELDS[Channel(source.channel)]):
                name = _attribute(variable.path)
                if name is not None:
                    default = _default(name, [source.source[field] for field in variable.fields])
                    found.setdefault(name, []).append(default)
    return [StandIn(name, _together(found[name])) for name in sorted(found)]


def _together(defaults: list[str | None]) -> str | None:
    """“there” or “Sie”, without the outer quotes; None when one is lacking."""
    written = [one for one in dict.fromkeys(defaults) if one]
    return None if None in defaults else "” or “".join(written[:MOST_SHOWN])


def _attribute(path: tuple[str | int, ...]) -> str | None:
    if len(path) < 2 or path[0] not in ("recipient", "user") or path[1] in KNOWN or not isinstance(path[1], str):
        return None
    return path[1]


def _default(name: str, texts: list[str]) -> str | None:
    """The first that every text has; None when one has none."""
    found = [re.search(_DEFAULT % re.escape(name), text, re.DOTALL) for text in texts]
    return found[0][2] if found and all(found) and found[0] else None
