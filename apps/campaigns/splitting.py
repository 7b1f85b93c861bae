"""Who gets which part of a campaign: by a hash, so that the answer is the same in Python, in PostgreSQL and tomorrow. Pure.

A person's share is a number from 0 to 999,999. Each purpose has its own salt: who is held out says nothing about who gets variant 1,
and all of them stay what they are over every run of the campaign.
"""

from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256
from itertools import accumulate
from typing import Final
from uuid import UUID

WHOLE: Final = 1_000_000

SHARE_SQL: Final = "((('x' || encode(substring(sha256(uuid_send({id}) || {salt}) from 1 for 4), 'hex'))::bit(32)::bigint * 1000000) >> 32)"
"""`share` as SQL: `SHARE_SQL.format(id="r.id", salt="%(salt)s")`, where salt is the bytes of `salt_of` (bytea)."""

VARIANT_SQL: Final = "width_bucket({share}, {bounds})"
"""`variant_of` as SQL: `{bounds}` is the array (bigint[]) of `bounds_of`; 0 where it is empty."""


class Purpose(StrEnum):
    """WAVE: the order of ramps and tests."""

    HOLDOUT = "holdout"
    VARIANT = "variant"
    WAVE = "wave"


def salt_of(campaign_id: UUID, purpose: Purpose) -> bytes:
    return campaign_id.bytes + purpose.value.encode()


def share(recipient_id: UUID, salt: bytes) -> int:
    """0 to 999,999, evenly."""
    head = sha256(recipient_id.bytes + salt).digest()[:4]
    return int.from_bytes(head, "big") * WHOLE >> 32


def bounds_of(weights: Sequence[int]) -> tuple[int, ...]:
    """Where the second, third, ... variant begins. A weight of 0 gets nobody, whatever its place."""
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        raise ValueError("weights are whole numbers, not all 0")
    return tuple(reached * WHOLE // total for reached in accumulate(weights))[:-1]


def variant_of(share: int, weights: Sequence[int]) -> int:
    """A position among the weights."""
    return sum(bound <= share for bound in bounds_of(weights))


def is_held_out(share: int, percent: float) -> bool:
    return share < cut_of(percent)


def cut_of(percent: float) -> int:
    """How many of a million."""
    return max(0, min(WHOLE, round(percent * WHOLE / 100)))


def ramp_ranges(percents: Sequence[float]) -> tuple[tuple[int, int], ...]:
    """Shares [low, high) of each step; percents grow and the last step always ends at the whole. (0.1, 1, 10, 100) are four steps."""
    cuts = [cut for cut in map(cut_of, percents) if 0 < cut < WHOLE]
    if cuts != sorted(set(cuts)):
        raise ValueError("the steps of a ramp grow")
    return tuple(zip([0, *cuts], [*cuts, WHOLE], strict=True))


def trial_ranges(percent: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """Shares [low, high) of those the variants are tried on, and of the rest."""
    cut = cut_of(percent)
    return (0, cut), (cut, WHOLE)
