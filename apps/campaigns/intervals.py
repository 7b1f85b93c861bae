"""How sure a share is. Pure. Wilson, "Probable inference, the law of succession, and statistical inference", 1927."""

from math import sqrt
from typing import Final, NamedTuple

SURE: Final = 2.326
"""Of one side: the truth is below the lower end once in a hundred times."""
BOTH: Final = 1.96
"""Of both sides together: the truth is outside five times in a hundred."""


class Interval(NamedTuple):
    """Shares, 0 to 1."""

    low: float
    high: float


def wilson(count: int, of: int, z: float = BOTH) -> Interval:
    """Of `count` out of `of`; (0, 1) where nothing is known."""
    if of <= 0:
        return Interval(0.0, 1.0)
    share, square = count / of, z * z
    middle = share + square / (2 * of)
    half = z * sqrt(share * (1 - share) / of + square / (4 * of * of))
    low, high = (middle - half) / (1 + square / of), (middle + half) / (1 + square / of)
    return Interval(0.0 if count == 0 else max(0.0, low), 1.0 if count == of else min(1.0, high))
