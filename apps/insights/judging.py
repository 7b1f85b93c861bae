"""Whether receipts are missing by more than chance. Pure."""

from math import log

LEAST_JUDGED = 20
MARGIN = 0.1
# the probability of a false alarm is at most e^-20, one in 485 million judgements
ALARM, RECOVERY = 20.0, 3.0
NEVER_BELOW = 0.01


def is_silent(judged: int, missing: int, expected: float) -> bool:
    """`expected`: the share that is usually missing."""
    share = missing / judged if judged else 0.0
    return judged >= LEAST_JUDGED and share >= expected + MARGIN and surprise(judged, missing, expected) > ALARM


def has_recovered(judged: int, missing: int, expected: float) -> bool:
    share = missing / judged if judged else 1.0
    is_usual = share < expected + MARGIN or surprise(judged, missing, expected) < RECOVERY
    return judged >= LEAST_JUDGED and is_usual


def surprise(judged: int, missing: int, expected: float) -> float:
    """-ln of Chernoff's bound for as many or more missing by chance: n * KL(share, expected). 0 when not more than expected.

    Hoeffding, "Probability inequalities for sums of bounded random variables", 1963, theorem 1.
    """
    usual = min(max(expected, NEVER_BELOW), 0.999)
    share = missing / judged if judged else 0.0
    if share <= usual:
        return 0.0
    rest = (1 - share) * log((1 - share) / (1 - usual)) if share < 1 else 0.0
    return judged * (share * log(share / usual) + rest)
