"""Answers of /v1/campaigns."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.urls import reverse

from apps.campaigns.approving import Considered
from apps.campaigns.checking import Finding
from apps.campaigns.choosing_winner import Verdict
from apps.campaigns.costing import Cost, Estimate
from apps.campaigns.launching import Halted
from apps.campaigns.lifecycle import CampaignStatus, RunStatus
from apps.campaigns.reading import CampaignFacts, RunFacts, Tallied
from apps.core import ids
from apps.core.bodies import Answer


class CampaignVariantAnswer(Answer):
    name: str
    template_key: str
    weight: int


class CampaignAnswer(Answer):
    """`version` counts changes: send it with yours. `launched_by`, `created_by`: a person or a key."""

    id: str
    name: str
    status: str
    status_text: str
    version: int
    mode: str
    category: str
    event_type: str
    channels: list[str]
    priority: str
    audience: dict[str, Any]
    is_frozen: bool
    data: dict[str, Any]
    variants: list[CampaignVariantAnswer]
    schedule: dict[str, Any]
    throttle: int
    expires_after_minutes: int | None
    ramp: list[float]
    ramp_minutes: int
    test: dict[str, Any] | None
    holdout: int
    budget: dict[str, int]
    brake: dict[str, float]
    send_once_key: str
    created_by: str
    changed_by: str
    launched_by: str | None
    launched_at: datetime | None
    next_fire_at: datetime | None
    created_at: datetime
    updated_at: datetime
    admin_url: str

    @classmethod
    def of(cls, found: CampaignFacts) -> "CampaignAnswer":
        head, values = dict(found.head), dict(found.values)
        status = CampaignStatus(head["status"])
        head.pop("api_key_id")
        values["test"] = values["test"] or None
        values["variants"] = [CampaignVariantAnswer(**variant) for variant in values["variants"]]
        head |= {"id": ids.show(ids.CAMPAIGN, found.id), "launched_by": head["launched_by"] or None}
        return cls(**head | values, status_text=status.sentence, admin_url=admin_url(found))


class CampaignPage(Answer):
    data: list[CampaignAnswer]
    has_more: bool
    next_cursor: str | None


class CampaignRunAnswer(Answer):
    """`people`: in the audience as counted when it began; `decided`: of them so far, `messages`: that were made for them, `held_out`: who
    get nothing on purpose, `repeated`: who had theirs with another wave. `winner`: a variant's position."""

    id: str
    number: int
    occurrence: str
    status: str
    status_text: str
    people: int | None
    decided: int
    messages: int
    held_out: int
    repeated: int
    throttle: int
    winner: int | None
    pause_reason: str | None
    pause_text: str | None
    paused_by: str | None
    paused_at: datetime | None
    started_at: datetime | None
    expanded_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, found: RunFacts) -> "CampaignRunAnswer":
        row = found.row
        times = ("paused_at", "started_at", "expanded_at", "finished_at")
        is_paused = row["status"] == RunStatus.PAUSED
        return cls(
            id=ids.show(ids.CAMPAIGN_RUN, row["id"]),
            number=row["number"],
            occurrence=row["occurrence"],
            status=row["status"],
            status_text=RunStatus(row["status"]).sentence,
            people=row["audience_size"],
            decided=found.people["seen"],
            messages=found.people["made"],
            held_out=found.people["held_out"],
            repeated=found.people["repeated"],
            throttle=row["throttle"],
            winner=row["winner"],
            pause_reason=(row["pause_reason"] or None) if is_paused else None,
            pause_text=(row["pause_detail"] or None) if is_paused else None,
            paused_by=(row["paused_by"] or None) if is_paused else None,
            **{name: row[name] for name in times},
        )


class CampaignRunPage(Answer):
    data: list[CampaignRunAnswer]
    has_more: bool
    next_cursor: str | None


class CampaignHalted(Answer):
    """`in_flight`: messages being handed to providers at that moment, which nobody can call back; `taken`: that workers look at once more
    before they send; `waiting`: the rest that was decided on."""

    status: str
    in_flight: int
    taken: int
    waiting: int

    @classmethod
    def of(cls, found: Halted, status: str) -> "CampaignHalted":
        return cls(status=status, in_flight=found.in_flight, taken=found.taken, waiting=found.waiting)


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


class BulkAccepted(Answer):
    """`people`: of `recipient_ids`, how many are known; null for a segment, which is counted when it is sent. `unknown`: how many are
    not, and `unknown_ids` some of them."""

    campaign_id: str
    status: str
    status_text: str
    people: int | None
    unknown: int
    unknown_ids: list[str]
    next_fire_at: datetime | None
    stats_url: str
    runs_url: str


def admin_url(found: CampaignFacts) -> str:
    return reverse("admin:campaigns_campaign_change", args=[found.id])


def _count(one: Tallied) -> CampaignCount:
    counts = ("count", "opened", "clicked", "complained", "unsubscribed")
    return CampaignCount(
        variant=one.variant,
        channel=one.channel,
        status=one.status,
        reason=one.reason or None,
        **{name: getattr(one, name) for name in counts},
    )
