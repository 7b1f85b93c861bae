"""People and their addresses, the groups they are put into, and the files they come from."""

from apps.audience.models.imports import Import, ImportChunk, ImportFault, ImportLane, ImportState
from apps.audience.models.people import Endpoint, Recipient
from apps.audience.models.segments import Segment, SegmentMember

__all__ = [
    "Endpoint",
    "Import",
    "ImportChunk",
    "ImportFault",
    "ImportLane",
    "ImportState",
    "Recipient",
    "Segment",
    "SegmentMember",
]
