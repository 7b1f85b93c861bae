"""Whether a version that only a share of the people gets does harm: enough messages, too many errors, clearly more than before. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

LEAST = 20
"""Messages of the new version; of fewer the share of errors says nothing."""
MOST = 0.05
_Z = 1.96


@dataclass(frozen=True, slots=True)
class Tally:
    """Of one version: messages that were judged, those that failed by the version's fault, and what was said of them most."""

    sends: int = 0
    errors: int = 0
    why: str = ""

    @property
    def rate(self) -> float:
        return self.errors / self.sends if self.sends else 0.0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.sends + other.sends, self.errors + other.errors, other.why or self.why)

    def kept(self) -> dict[str, Any]:
        return {"sends": self.sends, "errors": self.errors, "why": self.why}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Tally":
        return cls(kept.get("sends", 0), kept.get("errors", 0), kept.get("why", ""))


def is_harmful(new: Tally, old: Tally) -> bool:
    """More than MOST of at least LEAST fail, and even the lucky end of what that may mean is worse than the old version is now."""
    return new.sends >= LEAST and new.rate > MOST and lowest(new) > old.rate


def lowest(tally: Tally) -> float:
    """Of the share of errors, the lower end of its 95 % interval (Wilson 1927)."""
    n, p = tally.sends, tally.rate
    centre = p + _Z * _Z / (2 * n)
    return (centre - _Z * sqrt(p * (1 - p) / n + _Z * _Z / (4 * n * n))) / (1 + _Z * _Z / n)


def sentence(number: int, new: Tally, before: int, old: Tally) -> str:
    beside = f"{_said(old)} of version {before}" if old.sends else f"nothing of version {before} was sent meanwhile"
    why = f" Most often: {new.why}." if new.why else ""
    return (
        f"{_said(new)} of version {number} failed, {beside}.{why.replace('..', '.')} "
        f"Those {new.errors} were not sent; each says so in its timeline, and can be sent again from the dead letters."
    )


def _said(tally: Tally) -> str:
    return f"{tally.errors} of {tally.sends} messages ({tally.rate * 100:.0f} %)"
