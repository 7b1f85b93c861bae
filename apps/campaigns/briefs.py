"""How many are reached, kept for a minute: every tab of the composer shows it, and a million people take seconds to count."""

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from apps.core.redis import RedisError, quick

KEPT_SECONDS = 60
_KEY = "campaigns:reach:{}:{}"


@dataclass(frozen=True, slots=True)
class Brief:
    """People who match, and those of them who can be reached on a channel at least."""

    matched: int
    reached: int
    is_exact: bool


def kept_brief(row: Any) -> Brief | None:
    """None: not counted lately, or Redis is away."""
    try:
        found = quick().get(_key(row))
    except RedisError:
        return None
    return Brief(**json.loads(found)) if isinstance(found, bytes) else None


def keep_brief(row: Any, brief: Brief) -> None:
    """Whoever looks again counts again where Redis is away."""
    try:
        quick().set(_key(row), json.dumps(asdict(brief)), ex=KEPT_SECONDS)
    except RedisError:
        return


def _key(row: Any) -> str:
    """Of everything that decides who is reached."""
    asked = [row.audience or {}, list(row.channels), str(row.category), row.event_type]
    return _KEY.format(row.tenant_id, sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest())
