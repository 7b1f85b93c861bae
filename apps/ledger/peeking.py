"""What stands, looked at and left alone: for whoever asks what would happen."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from apps.core.enums import BundleKind, Category, Channel, KeyMode
from apps.core.rows import fetch

BundleKey = tuple[Channel, KeyMode, Category, BundleKind, str]


def open_bundles(recipient_id: UUID) -> dict[BundleKey, datetime]:
    """When each of the recipient's open bundles is summed up at the latest. One query."""
    rows = fetch(
        """SELECT channel, mode, category, kind, key, flush_at FROM ledger_bundle
        WHERE recipient_id = %(id)s AND closed_at IS NULL""",
        {"id": recipient_id},
    )
    return {
        (Channel(channel), KeyMode(mode), Category(category), BundleKind(kind), key): flush_at
        for channel, mode, category, kind, key, flush_at in rows
    }


def holders(keys: Collection[bytes], at: datetime) -> dict[bytes, UUID]:
    """Which notification holds each of these keys then. One query, none for none."""
    if not keys:
        return {}
    rows = fetch(
        "SELECT key, ref_id FROM ledger_seen_key WHERE key = ANY(%(keys)s) AND expires_at > %(at)s",
        {"keys": list(keys), "at": at},
    )
    return {bytes(key): ref for key, ref in rows}
