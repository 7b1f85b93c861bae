"""Answers about what campaigns cost, what they lack and what became of them."""

from collections.abc import Iterable
from datetime import datetime

from apps.campaigns.approving import Considered
from apps.campaigns.checking import Finding
from apps.campaigns.choosing_winner import Verdict
from apps.campaigns.costing import Cost, Estimate
from apps.campaigns.reading import RunFacts, Tallied
from apps.campaigns.serializers import CampaignRunAnswer
from apps.core import ids
from apps.core.bodies import Answer


class CampaignCount(Answer):
    """Deliveries of a variant on a channel that stand alike. `opened`: by people; machines' opens are not counted."""

    variant: int
    channel: str
    status: str
    reason: str | None
    count: int
    opened: int
    clicked: int
    complained: int
    unsubscribed: int


class VariantStanding(Answer):
    """`rate` of those it was sent to, by the metric; `low`, `high`: where the truth is nineteen times in twenty; `best`: the probability
    that no other variant is better."""

    variant: int
    sent: int
    successes: int
    rate: float
    low: float
    high: float
    best: float


class CampaignStats(Answer):
    """Of the newest run. `as_of`: when it was counted; null: not yet. `verdict`: who is ahead, in words."""

    run: CampaignRunAnswer | None
    as_of: datetime | None
    deliveries: list[CampaignCount]
    metric: str
    variants: list[VariantStanding]
    verdict: str

    @classmethod
    def of(cls, run: RunFacts | None, counts: Iterable[Tallied], metric: str, verdict: Verdict) -> "CampaignStats":
        return cls(
            run=CampaignRunAnswer.of(run) if run else None,
            as_of=run.row["tallied_at"] if run else None,
            deliveries=[_count(one) for one in counts],
            metric=metric,
            variants=[
                VariantStanding(
                    variant=one.position,
                    sent=one.sent,
                    successes=one.successes,
                    rate=one.rate,
                    low=one.interval.low,
                    high=one.interval.high,
                    best=one.best,
                )
                for one in verdict.standings
            ],
            verdict=verdict.sentence,
        )


class CampaignAmount(Answer):
    """Millionths of the currency, at least and at most."""

    low: int
    high: int
    currency: str
    text: str

    @classmethod
    def of(cls, found: Estimate | Cost) -> "CampaignAmount":
        return cls(low=found.low, high=found.high, currency=found.currency, text=found.text)


class CampaignFinding(Answer):
    """`severity`: error (it cannot be launched), warning or info."""

    code: str
    severity: str
    text: str

    @classmethod
    def of(cls, found: Finding) -> "CampaignFinding":
        return cls(code=found.code, severity=found.severity, text=found.text)


class CampaignCheck(Answer):
    """`people`: whom the audience describes now; `cost`: of what would be sent to them. `approval_text`: why somebody has to approve it
    before a person launches it; null: nobody has to. `finish_text`: how long it takes."""

    people: int
    is_exact: bool
    cost: CampaignAmount
    approval_text: str | None
    finish_text: str
    findings: list[CampaignFinding]

    @classmethod
    def of(cls, seen: Considered, needs: str, finish: str, found: Iterable[Finding]) -> "CampaignCheck":
        return cls(
            people=seen.estimate.people,
            is_exact=seen.estimate.is_exact,
            cost=CampaignAmount.of(seen.estimate),
            approval_text=needs or None,
            finish_text=finish,
            findings=[CampaignFinding.of(one) for one in found],
        )


class CostLineAnswer(Answer):
    """`parts`: what providers bill, the segments of an SMS. `campaign_run_id`: null for what no campaign sent. `is_priced`: false where
    the price table says nothing, and nothing is counted."""

    channel: str
    account: str
    place: str
    campaign_run_id: str | None
    messages: int
    parts: int
    low: int
    high: int
    is_priced: bool


class CostAnswer(Answer):
    """Amounts in millionths of the currency."""

    total: CampaignAmount
    lines: list[CostLineAnswer]

    @classmethod
    def of(cls, cost: Cost) -> "CostAnswer":
        return cls(
            total=CampaignAmount.of(cost),
            lines=[
                CostLineAnswer(
                    channel=line.channel,
                    account=line.account,
                    place=line.place,
                    campaign_run_id=ids.show(ids.CAMPAIGN_RUN, line.run_id) if line.run_id else None,
                    messages=line.messages,
                    parts=line.parts,
                    low=line.low,
                    high=line.high,
                    is_priced=line.is_priced,
                )
                for line in cost.lines
            ],
        )


def _count(one: Tallied) -> CampaignCount:
    counts = ("count", "opened", "clicked", "complained", "unsubscribed")
    return CampaignCount(
        variant=one.variant,
        channel=one.channel,
        status=one.status,
        reason=one.reason or None,
        **{name: getattr(one, name) for name in counts},
    )
