"""Pages by cursor: `?limit=&cursor=` in, `{data, has_more, next_cursor}` out. Stable while rows are inserted."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from uuid import UUID

from rest_framework.request import Request

from apps.core.problem_codes import Code
from apps.core.problems import Problem


@dataclass(frozen=True)
class PageRequest:
    """`before`: only rows whose id is smaller (older) than this one."""

    limit: int
    before: UUID | None


def page_request(request: Request, *, default: int = 20, most: int = 100) -> PageRequest:
    raw = request.query_params.get("limit", str(default))
    if not raw.isascii() or not raw.isdigit() or not 1 <= int(raw) <= most:
        raise Problem(Code.OUT_OF_RANGE, f"`limit` is a whole number from 1 to {most}.", pointer="#query/limit")
    cursor = request.query_params.get("cursor")
    return PageRequest(int(raw), _read(cursor) if cursor else None)


def next_cursor(last: UUID) -> str:
    return urlsafe_b64encode(last.bytes).decode().rstrip("=")


def _read(cursor: str) -> UUID:
    try:
        return UUID(bytes=urlsafe_b64decode(cursor + "=="))
    except ValueError:
        raise Problem(Code.INVALID_CURSOR, pointer="#query/cursor") from None
