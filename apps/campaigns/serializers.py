"""Answers of /v1/campaigns."""

from datetime import datetime
from typing import Any

from django.urls import reverse

from apps.campaigns.launching import Halted
from apps.campaigns.lifecycle import CampaignStatus, RunStatus
from apps.campaigns.reading import CampaignFacts, RunFacts
from apps.campaigns.schedule_words import rest_words
from apps.core import ids
from apps.core.bodies import Answer
from apps.schedules.timing import wall_of


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
    get nothing on purpose, `repeated`: who had theirs with another wave. `winner`: a variant's position, `winner_text`:
    who chose it and why. `rest_text`: when those have their turn who wait for the winner; null: nobody does."""

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
    winner_text: str | None
    rest_text: str | None
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
            winner_text=row["winner_said"] or None,
            rest_text=_rest(found),
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


def _rest(found: RunFacts) -> str | None:
    if not found.waits or found.row["status"] == RunStatus.CANCELLED:
        return None
    when = rest_words(wall_of(found.row["occurrence"])) if found.is_local else "when the winner is known"
    return f"The rest gets it {when}."


def admin_url(found: CampaignFacts) -> str:
    return reverse("admin:campaigns_campaign_change", args=[found.id])
