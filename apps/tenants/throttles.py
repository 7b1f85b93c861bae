"""How much a caller may: one bucket per key and one per tenant, asked in one step (core/buckets.py, core/prepaid.py).

A view costs 1 unless it says otherwise. A batch view sets `throttle_cost = "deferred"` and calls `charge(request, cost)`
once it knows how many it was sent.
"""

from math import ceil
from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from apps.core.buckets import Bucket
from apps.core.prepaid import take
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Caller


class KeyAndTenantThrottle(BaseThrottle):
    """Raises Problem: throttled, with Retry-After. Every answer gets the RateLimit headers."""

    def allow_request(self, request: Request, view: Any) -> bool:
        cost = getattr(view, "throttle_cost", 1)
        if cost != "deferred":
            charge(request, cost)
        return True


def charge(request: Request, cost: int) -> None:
    """Takes `cost` requests from the caller's buckets, or raises Problem: throttled and takes nothing."""
    caller = request.user
    if not isinstance(caller, Caller):
        return
    key, tenant = _buckets(caller)
    verdict = take((key, tenant), cost)
    limits = [("key", key, verdict.levels[0])]
    if verdict.levels[1].remaining < verdict.levels[0].remaining:
        limits.append(("tenant", tenant, verdict.levels[1]))
    headers = {
        "RateLimit-Policy": ", ".join(f'"{name}";q={b.burst};w={ceil(b.burst / b.rate)}' for name, b, _ in limits),
        "RateLimit": ", ".join(f'"{name}";r={level.remaining};t={ceil(level.reset)}' for name, _, level in limits),
    }
    request.META.setdefault("notifier.headers", {}).update(headers)
    if not verdict.is_allowed:
        seconds = max(1, ceil(verdict.retry_after))
        raise Problem(
            Code.THROTTLED,
            f"This needs {cost} of the rate limit; enough is free again in {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )


def _buckets(caller: Caller) -> tuple[Bucket, Bucket]:
    """The braces put both into one slot of a Redis cluster."""
    tenant = caller.tenant
    return (
        Bucket(f"rate:{{{tenant.id}}}:{caller.key_id}", caller.rate_per_second, caller.rate_burst),
        Bucket(f"rate:{{{tenant.id}}}", tenant.rate_per_second, tenant.rate_burst),
    )
