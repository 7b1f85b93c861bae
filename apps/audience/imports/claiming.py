"""Who works on an import: one worker at a time, under a lease. Whoever lost the lease writes nothing more (writing.py: the fence)."""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from apps.core.rows import execute, fetch

MOST_DEATHS = 5

# FOR UPDATE passes over one whose page a worker is just writing, though its lease is over (writing.py: the fence)
_CLAIM = """
UPDATE audience_import SET lease_token = lease_token + 1, lease_until = now() + %(lease)s * interval '1 second', deaths = deaths + 1
WHERE id = (
    SELECT id FROM audience_import WHERE state IN ('checking', 'running') AND (lease_until IS NULL OR lease_until < now())
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id, tenant_id, state, lease_token, deaths
"""
# the sums of the lanes are what the page of the import shows
_RENEW = """
UPDATE audience_import i SET lease_until = now() + %(lease)s * interval '1 second', rate = %(rate)s, updated_at = now(),
    checked = coalesce(%(checked)s, checked)
WHERE id = %(id)s AND lease_token = %(token)s AND state IN ('checking', 'running')
"""
_SUM = """
UPDATE audience_import i SET written = v.lines, created = v.created, changed = v.changed, added = v.added, updated_at = now(),
    deaths = CASE WHEN v.lines > i.written THEN 0 ELSE deaths END
FROM (SELECT coalesce(sum(cursor) / count(*), 0) AS lines, coalesce(sum(created), 0) AS created,
    coalesce(sum(changed), 0) AS changed, coalesce(sum(added), 0) AS added FROM audience_importlane WHERE import_id = %(id)s) v
WHERE i.id = %(id)s
"""
_RELEASE = "UPDATE audience_import SET lease_until = NULL, deaths = 0 WHERE id = %(id)s AND lease_token = %(token)s"
_SET_ASIDE = """
UPDATE audience_import SET state = CASE state WHEN 'running' THEN 'paused' ELSE 'failed' END, lease_until = NULL, deaths = 0,
    error = 'Workers ended over it five times in a row; the log says why.' WHERE id = %(id)s AND lease_token = %(token)s
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """`token` is ours until somebody claims it after the lease has ended."""

    import_id: UUID
    tenant_id: UUID
    state: str
    token: int


def claim() -> Claim | None:
    """The oldest that has something to do and nobody doing it. One that ended MOST_DEATHS workers in a row is set aside."""
    for id_, tenant_id, state, token, deaths in fetch(_CLAIM, {"lease": settings.LEASE_SECONDS}):
        if deaths > MOST_DEATHS:
            execute(_SET_ASIDE, {"id": id_, "token": token})
            return claim()
        return Claim(id_, tenant_id, state, token)
    return None


def renew(mine: Claim, *, rate: float, checked: int | None = None) -> bool:
    """False when it is no longer ours, or was paused or cancelled."""
    values = {
        "id": mine.import_id,
        "token": mine.token,
        "lease": settings.LEASE_SECONDS,
        "rate": rate,
        "checked": checked,
    }
    return execute(_RENEW, values) == 1


def sum_up(import_id: UUID) -> None:
    execute(_SUM, {"id": import_id})


def release(mine: Claim) -> None:
    """So that it need not wait for the lease to end."""
    execute(_RELEASE, {"id": mine.import_id, "token": mine.token})
