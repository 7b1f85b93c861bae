"""People of a bulk by name, where there are many: kept as they were sent, and put on the campaign's list when it is prepared. Whoever sent
them has their answer long before."""

import zlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from apps.audience.segments import lists
from apps.campaigns.models import NamedPeople

PAGE = 10_000


def keep_names(*, tenant_id: UUID, campaign_id: UUID, segment_id: UUID, names: Sequence[str]) -> None:
    packed = zlib.compress(msgspec.json.encode(list(names)), 1)
    NamedPeople.objects.create(
        **{"campaign_id": campaign_id, "tenant_id": tenant_id, "segment_id": segment_id, "names": packed}
    )


def put_on_list(*, tenant_id: UUID, campaign_id: UUID) -> None:
    """In the transaction that prepares the run: all of them or none. Without kept names: nothing, in one query."""
    row: Any = NamedPeople.objects.of(tenant_id).select_for_update().filter(campaign_id=campaign_id).first()
    if row is None:
        return
    names = msgspec.json.decode(zlib.decompress(bytes(row.names)), type=list[str])
    for begin in range(0, len(names), PAGE):
        some = names[begin : begin + PAGE]
        lists.add_members(tenant_id=tenant_id, segment_id=row.segment_id, user_ids=some)
    row.delete()
