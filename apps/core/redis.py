"""The Redis clients. Whatever lives there may vanish at any moment; callers say what they do then."""

from functools import cache

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

__all__ = ["RedisError", "quick"]


@cache
def quick() -> "Redis":
    """The shared client, with time-outs short enough for a request: 0.25 s to connect, 0.5 s to answer, no retry."""
    return Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=0.25,
        socket_timeout=0.5,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
        max_connections=200,
        decode_responses=False,
    )
