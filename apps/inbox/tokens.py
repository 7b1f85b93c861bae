"""Recipient tokens: a tenant's backend mints one so that one person's browser can read that person's feed, and nothing else.

Signed with HMAC-SHA256 for this purpose alone (django.core.signing, SECRET_KEY and its fallbacks), not stored: a token ends by
its expiry. It names ids only and is not encrypted.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.core import signing

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=1)
_PURPOSE = "inbox.viewer"
_MOST_CHARACTERS = 512


@dataclass(frozen=True, slots=True)
class InboxViewer:
    """Who looks at the feed: what a recipient token stands for. `request.user` of the inbox."""

    tenant_id: UUID
    recipient_id: UUID
    expires_at: datetime

    is_authenticated = True


def mint(*, tenant_id: UUID, recipient_id: UUID, expires_in: timedelta, now: datetime) -> tuple[str, datetime]:
    """The token, and when it ends (whole seconds)."""
    expires_at = (now + expires_in).replace(microsecond=0)
    claims = [tenant_id.hex, recipient_id.hex, int(expires_at.timestamp())]
    return signing.dumps(claims, salt=_PURPOSE), expires_at


def viewer_of(token: str, *, now: datetime) -> InboxViewer | None:
    """None when it is malformed, forged, for another purpose, or over."""
    if len(token) > _MOST_CHARACTERS:
        return None
    try:
        tenant, recipient, seconds = signing.loads(token, salt=_PURPOSE)
    except (signing.BadSignature, ValueError):
        return None
    viewer = InboxViewer(UUID(tenant), UUID(recipient), datetime.fromtimestamp(seconds, UTC))
    return viewer if now < viewer.expires_at else None


def bearer_token(authorization: str) -> str:
    """The token of an `Authorization: Bearer ...` header; empty for anything else."""
    kind, _, token = authorization.partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""
