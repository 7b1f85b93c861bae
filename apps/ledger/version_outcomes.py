"""What became of the messages of a template's versions, counted when somebody asks: sending notes nothing for it."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from apps.core.rows import fetch

END_OF_TIME = UUID(int=(1 << 128) - 1)
_COUNT = """
WITH said AS (
    SELECT a.template_version_id AS version, a.kind = 'rejected' AS is_error, a.code AS why FROM ledger_attempt a
    WHERE a.id >= %(since)s AND a.id < %(until)s AND a.tenant_id = %(tenant)s AND a.template_version_id = ANY(%(versions)s)
        AND a.kind IN ('accepted', 'rejected', 'invalid_address', 'opted_out')
    UNION ALL
    SELECT (l.context->>'template_version')::uuid, true, l.context->>'detail' FROM ledger_dead_letter l
    WHERE l.id >= %(since)s AND l.id < %(until)s AND l.tenant_id = %(tenant)s AND l.reason IN ('template_error', 'no_template')
        AND l.context->>'template_version' = ANY(%(versions)s::text[])
)
SELECT version, count(*), count(*) FILTER (WHERE is_error), coalesce(mode() WITHIN GROUP (ORDER BY why) FILTER (WHERE is_error), '')
FROM said GROUP BY version
"""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """`sends`: messages that a provider judged, and those that could not be rendered; `errors`: refused as such, or not rendered.
    `why`: what was said most often of errors, never a value of somebody's data."""

    sends: int = 0
    errors: int = 0
    why: str = ""


def version_outcomes(tenant_id: UUID, versions: Collection[UUID], *, since: UUID, until: UUID) -> dict[UUID, Outcomes]:
    """Of attempts and dead letters with ids from `since` on and before `until`. Test sends name no version, and do not count. One query."""
    rows = fetch(_COUNT, {"tenant": tenant_id, "versions": list(versions), "since": since, "until": until})
    return dict.fromkeys(versions, Outcomes()) | {version: Outcomes(*counts) for version, *counts in rows}
