"""The brake: whether a run goes so badly that it must not go on by itself. Pure.

Each rule looks at each channel by itself. It needs enough data to mean something: so many messages, so many of them bad, and a share that
is above the limit even at the lower end of Wilson's interval, where chance alone would put it once in a hundred times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from apps.campaigns.intervals import SURE, wilson
from apps.core.enums import Channel

BY: Final = "brake"
NEVER: Final = 100.0
Name = Literal["complaints", "bounces", "opt_outs", "render_errors", "rejections", "missing"]
_NOUNS: Final = {Channel.EMAIL: "mails", Channel.SMS: "texts", Channel.PUSH: "pushes", Channel.IN_APP: "feed items"}


@dataclass(frozen=True, slots=True)
class Rule:
    """`default`: percent, as the limits that somebody sets; 100: never. `least`: messages, `least_bad`: bad ones among them, below which
    nothing is said. `words`: what happened to them."""

    name: Name
    label: str
    default: float
    least: int
    least_bad: int
    words: str

    @property
    def reason_code(self) -> str:
        return f"{BY}_{self.name}"


RULES: Final[tuple[Rule, ...]] = (
    Rule("complaints", "Reported as unwanted", 0.2, 100, 3, "were reported as unwanted"),
    Rule("bounces", "Hard bounces", 5.0, 50, 5, "bounced"),
    Rule("opt_outs", "Opt-outs", 2.0, 100, 5, "made their recipients opt out"),
    Rule("render_errors", "Content that cannot be rendered", 5.0, 20, 5, "could not be rendered"),
    Rule("rejections", "Refused by the provider", 10.0, 50, 10, "were refused by the provider"),
    Rule("missing", "Receipts that do not come", 20.0, 50, 20, "have no receipt, though it is overdue"),
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a channel's messages came to. `sent`: taken by a provider; `tried`: those and what it refused, for whatever reason; `rendered`:
    those that were to be rendered. `overdue`: sent so long ago that a receipt should be there, `missing`: those of them without one,
    `usual`: the share that is always missing."""

    channel: Channel
    sent: int = 0
    complained: int = 0
    bounced: int = 0
    opted_out: int = 0
    rendered: int = 0
    render_errors: int = 0
    tried: int = 0
    rejected: int = 0
    overdue: int = 0
    missing: int = 0
    usual: float = 0.0

    def of(self, name: Name) -> tuple[int, int]:
        """(bad, all) for a rule."""
        match name:
            case "complaints":
                return self.complained, self.sent
            case "bounces":
                return self.bounced, self.tried
            case "opt_outs":
                return self.opted_out, self.sent
            case "render_errors":
                return self.render_errors, self.rendered
            case "rejections":
                return self.rejected, self.tried
            case "missing":
                return self.missing, self.overdue


@dataclass(frozen=True, slots=True)
class Brake:
    """Why a run is to be paused. `sentence`: with the numbers."""

    reason_code: str
    sentence: str


def limits(campaign: Mapping[str, float] | None, policy: Mapping[str, float] | None) -> dict[str, float]:
    """Percent by rule: the campaign's own, else the tenant's, else the default."""
    own, common = campaign or {}, policy or {}
    return {rule.name: float(own.get(rule.name, common.get(rule.name, rule.default))) for rule in RULES}


def judge(evidence: Sequence[Evidence], limits: Mapping[str, float]) -> Brake | None:
    """The first rule that is broken, in the order of RULES; of several channels the worst. None: it may go on."""
    for rule in RULES:
        broken = [one for one in evidence if _is_broken(rule, one, limits[rule.name])]
        if broken:
            return Brake(rule.reason_code, _sentence(rule, max(broken, key=lambda one: _share(rule, one)), limits))
    return None


def _is_broken(rule: Rule, one: Evidence, limit: float) -> bool:
    bad, total = one.of(rule.name)
    if limit >= NEVER or total < rule.least or bad < rule.least_bad:
        return False
    return wilson(bad, total, SURE).low * 100 > _limit(rule, one, limit)


def _limit(rule: Rule, one: Evidence, limit: float) -> float:
    """In percent. Some receipts never come: only what is missing beyond those counts."""
    return limit + one.usual * 100 if rule.name == "missing" else limit


def _share(rule: Rule, one: Evidence) -> float:
    bad, total = one.of(rule.name)
    return bad / total


def _sentence(rule: Rule, one: Evidence, limits: Mapping[str, float]) -> str:
    bad, total = one.of(rule.name)
    limit = _limit(rule, one, limits[rule.name])
    return (
        f"Paused by itself: {bad:,} of {total:,} {_NOUNS[one.channel]} {rule.words} "
        f"({percent(bad / total * 100)}, limit {percent(limit)})."
    )


def percent(value: float) -> str:
    """`7.5 %`, `5 %`, `0.25 %`: as many digits as tell it from its limit."""
    digits = 2 if value < 1 else 1
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") + " %"
