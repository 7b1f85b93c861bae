"""Telling open streams that a feed changed: an empty message on the recipient's own channel. A poke may be lost; the feed is the truth."""

import logging
from collections.abc import Iterable
from functools import cache, partial
from time import monotonic
from uuid import UUID

from django.conf import settings
from django.db import transaction
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from apps.core.redis import RedisError

log = logging.getLogger(__name__)

REST_SECONDS = 1.0
_TIMEOUT = 0.2
_rest_until = 0.0


def channel_of(recipient_id: UUID) -> str:
    return f"ntf:inbox:{recipient_id.hex}"


def poke(recipient_ids: Iterable[UUID]) -> None:
    """After the transaction under way commits, or at once without one. Never raises, and blocks for less than 0.5 s.

    While Redis is away nothing is published for REST_SECONDS after each failure; streams read again once they are reconnected.
    """
    channels = sorted({channel_of(recipient_id) for recipient_id in recipient_ids})
    if channels:
        transaction.on_commit(partial(_publish, channels), robust=True)


def _publish(channels: list[str]) -> None:
    global _rest_until
    if monotonic() < _rest_until:
        return
    try:
        with _client().pipeline(transaction=False) as pipe:
            for channel in channels:
                pipe.publish(channel, b"")
            pipe.execute()
    except RedisError as error:
        _rest_until = monotonic() + REST_SECONDS
        log.warning(
            "redis is away: open inbox streams were not told", extra={"recipients": len(channels)}, exc_info=error
        )


@cache
def _client() -> "Redis":
    """Its time-outs are for connecting and for each answer; the shared client's add up to more than a poke may cost."""
    return Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=_TIMEOUT,
        socket_timeout=_TIMEOUT,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
        max_connections=50,
    )
