"""What an answer means, as data: HTTP statuses and transport faults to outcome kinds. A provider's own tables come first."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from apps.core.enums import OutcomeKind

STATUS_KINDS: Mapping[int, OutcomeKind] = {
    401: OutcomeKind.MISCONFIGURED,
    402: OutcomeKind.MISCONFIGURED,
    403: OutcomeKind.MISCONFIGURED,
    407: OutcomeKind.MISCONFIGURED,
    408: OutcomeKind.TRANSIENT,
    413: OutcomeKind.REJECTED,
    429: OutcomeKind.THROTTLED,
    502: OutcomeKind.PROVIDER_DOWN,
    503: OutcomeKind.PROVIDER_DOWN,
    504: OutcomeKind.PROVIDER_DOWN,
}
# by the first digit, where the table above has nothing; a redirect is never followed, so the address is set up wrongly
FAMILY_KINDS: Mapping[int, OutcomeKind] = {
    1: OutcomeKind.AMBIGUOUS,
    3: OutcomeKind.MISCONFIGURED,
    4: OutcomeKind.REJECTED,
    5: OutcomeKind.TRANSIENT,
}
FAULT_KINDS: Mapping[str, OutcomeKind] = {
    # nothing was sent
    "bad_url": OutcomeKind.MISCONFIGURED,
    "bad_header": OutcomeKind.REJECTED,
    "forbidden_address": OutcomeKind.REJECTED,
    "pool_exhausted": OutcomeKind.PROVIDER_DOWN,
    "dns": OutcomeKind.PROVIDER_DOWN,
    "connect_refused": OutcomeKind.PROVIDER_DOWN,
    "connect_timeout": OutcomeKind.PROVIDER_DOWN,
    "tls": OutcomeKind.PROVIDER_DOWN,
    "write_failed": OutcomeKind.PROVIDER_DOWN,
    # the peer says that it has not acted on it (RFC 9113 sections 6.8 and 8.7)
    "refused_stream": OutcomeKind.PROVIDER_DOWN,
    # the request was written
    "read_timeout": OutcomeKind.AMBIGUOUS,
    "deadline": OutcomeKind.AMBIGUOUS,
    "connection_dropped": OutcomeKind.AMBIGUOUS,
    "answer_too_large": OutcomeKind.AMBIGUOUS,
    "answer_unreadable": OutcomeKind.AMBIGUOUS,
}
SHORTEST_WAIT, LONGEST_WAIT = 1.0, 3600.0


def kind_of_status(status: int) -> OutcomeKind:
    """The kind of an answer outside 2xx."""
    return STATUS_KINDS.get(status) or FAMILY_KINDS.get(status // 100, OutcomeKind.AMBIGUOUS)


def retry_after(value: str | None, now: datetime) -> float | None:
    """The header Retry-After in seconds, between 1 and 3600: delta-seconds or an HTTP-date (RFC 9110 section 10.2.3)."""
    text = (value or "").strip()
    if not text:
        return None
    try:
        seconds = float(text) if text.replace(".", "", 1).isdigit() else _until(text, now)
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, SHORTEST_WAIT), LONGEST_WAIT)


def _until(text: str, now: datetime) -> float:
    moment = parsedate_to_datetime(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()
