"""Content that is written for one campaign alone: a template of its own, made empty or as a copy."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from apps.campaigns.composing import own_prefix
from apps.campaigns.definitions import LETTERS
from apps.core.enums import Channel
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.templates import selectors as templates
from apps.templates.services import Source, save_draft


def make_own_template(
    *, tenant: Tenant, campaign_id: UUID, name: str, channels: Sequence[Channel], copy_of: str = ""
) -> str:
    """A draft, and its key. `copy_of`: the key of a template whose current version (or else draft) it begins as.

    Raises Problem: unknown_template; out_of_range when the campaign has too many already.
    """
    prefix = own_prefix(campaign_id)
    key = next((free for one in LETTERS.lower() if _is_free(tenant, free := f"{prefix}{one}")), None)
    if key is None:
        raise Problem(Code.OUT_OF_RANGE, "This campaign has as many texts of its own as it can have.")
    more: dict[str, Any] = {}
    sources = [Source(channel, "", {}) for channel in channels]
    if copy_of:
        row = templates.template_by_key(tenant, copy_of)
        version = version_of(tenant, row) if row is not None else None
        if version is None:
            raise Problem(Code.UNKNOWN_TEMPLATE, f"There is no template `{copy_of}` with content.")
        sources = [
            Source(Channel(one.channel), one.locale, dict(one.source)) for one in templates.variants(tenant, version.id)
        ]
        more = {"layout": version.layout, "sample": version.sample}
    save_draft(tenant=tenant, key=key, name=name[:200], variants=sources, **more)
    return key


def version_of(tenant: Tenant, row: templates.TemplateRow) -> templates.VersionRow | None:
    """What would be sent; or else the draft."""
    if row.current is not None:
        return templates.version_by_number(tenant, row.id, row.current)
    return templates.draft(tenant, row.id)


def _is_free(tenant: Tenant, key: str) -> bool:
    return templates.template_by_key(tenant, key) is None
