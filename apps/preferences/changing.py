"""The one way by which what people chose changes: version, history and cache go with it."""

from datetime import datetime
from uuid import UUID

from apps.core.types import Author, Change, Choices


def change_choices(
    *,
    tenant_id: UUID,
    recipient_id: UUID,
    change: Change,
    by: Author,
    expected_version: int | None = None,
    at: datetime | None = None,
) -> Choices:
    """What holds after it. Nothing is written where nothing differs. Raises Problem: unknown_user, stale_version."""
    raise NotImplementedError
