"""The people of a condition as they are now, kept: for a campaign that means those of its launch, whatever they become."""

from datetime import datetime
from uuid import UUID

from apps.audience.models import Segment
from apps.audience.models.segments import SegmentKind
from apps.audience.segments.asking import ask
from apps.audience.segments.compiling import Condition

_KEEP = """
WITH kept AS (
    INSERT INTO audience_segmentmember (segment_id, recipient_id, tenant_id)
    SELECT %(segment)s, r.id, %(tenant)s FROM audience_recipient r WHERE r.tenant_id = %(tenant)s AND {condition}
    RETURNING 1
) SELECT count(*) FROM kept
"""


def freeze(*, tenant_id: UUID, key: str, name: str, condition: Condition, now: datetime) -> UUID:
    """A list that nobody sees or changes; in the caller's transaction."""
    row = Segment.objects.create(
        tenant_id=tenant_id, key=key, name=name, kind=SegmentKind.LIST, archived_at=now, counted_at=now
    )
    asked = {"segment": row.id, "tenant": tenant_id, **condition.parameters}
    row.count = ask(_KEEP.format(condition=condition.sql), asked)[0][0]
    row.save(update_fields=["count"])
    found: UUID = row.id
    return found


def frozen(segment_id: UUID) -> Condition:
    """Those of them who still exist."""
    # named after its value, as every parameter of a condition: two go into one statement
    name = f"frozen_{segment_id.hex}"
    sql = f"EXISTS (SELECT FROM audience_segmentmember f WHERE f.segment_id = %({name})s AND f.recipient_id = r.id)"
    return Condition(sql, {name: segment_id})
