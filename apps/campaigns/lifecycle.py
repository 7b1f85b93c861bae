"""What a campaign and its runs may become, and by which command. Pure."""

from collections.abc import Mapping
from typing import Final

from apps.core.enums import Worded


class CampaignStatus(Worded):
    DRAFT = "draft", "It is being written."
    IN_REVIEW = "in_review", "It waits for an approval; nobody can change it."
    APPROVED = "approved", "It may be launched."
    SCHEDULED = "scheduled", "It fires at its next time."
    RUNNING = "running", "It is being sent."
    PAUSED = "paused", "Nothing more is sent until somebody resumes it."
    FINISHED = "finished", "Everybody it was for has been decided on."
    CANCELLED = "cancelled", "The rest is not sent."


class RunStatus(Worded):
    PREPARING = "preparing", "Its audience is being counted."
    RUNNING = "running", "Its pages are being written and sent."
    TESTING = "testing", "The variants were sent to a part; the winner is to be found."
    PAUSED = "paused", "Nothing more is sent until somebody resumes it."
    SENDING = "sending", "Everybody was decided on; the last messages are on their way."
    FINISHED = "finished", "Every message has ended."
    CANCELLED = "cancelled", "The rest is not sent."


class WaveKind(Worded):
    MAIN = "main", "Everybody it is for."
    TEST = "test", "The part that finds the better variant."
    REST = "rest", "Those who get the winner."
    SWEEP = "sweep", "Whoever moved to another clock while the waves went round."


class Command(Worded):
    SUBMIT = "submit", "Ask for an approval."
    APPROVE = "approve", "Approve it."
    RETURN = "return", "Ask for changes."
    LAUNCH = "launch", "Launch it now, or for its time."
    FIRE = "fire", "Its time has come."
    PAUSE = "pause", "Stop for now."
    RESUME = "resume", "Go on."
    CANCEL = "cancel", "Never send the rest."
    FINISH = "finish", "Nothing is left to do."
    EDIT = "edit", "Change it."


_C, _S = Command, CampaignStatus
CAMPAIGN_MOVES: Final[Mapping[tuple[CampaignStatus, Command], CampaignStatus]] = {
    (_S.DRAFT, _C.SUBMIT): _S.IN_REVIEW,
    (_S.IN_REVIEW, _C.APPROVE): _S.APPROVED,
    (_S.IN_REVIEW, _C.RETURN): _S.DRAFT,
    (_S.IN_REVIEW, _C.EDIT): _S.DRAFT,
    (_S.APPROVED, _C.EDIT): _S.DRAFT,
    (_S.SCHEDULED, _C.EDIT): _S.DRAFT,
    (_S.DRAFT, _C.EDIT): _S.DRAFT,
    (_S.DRAFT, _C.LAUNCH): _S.SCHEDULED,
    (_S.APPROVED, _C.LAUNCH): _S.SCHEDULED,
    (_S.SCHEDULED, _C.FIRE): _S.RUNNING,
    (_S.RUNNING, _C.PAUSE): _S.PAUSED,
    (_S.SCHEDULED, _C.PAUSE): _S.PAUSED,
    (_S.PAUSED, _C.RESUME): _S.RUNNING,
    **{(status, _C.CANCEL): _S.CANCELLED for status in (_S.DRAFT, _S.IN_REVIEW, _S.APPROVED, _S.SCHEDULED)},
    **{(status, _C.CANCEL): _S.CANCELLED for status in (_S.RUNNING, _S.PAUSED)},
    (_S.RUNNING, _C.FINISH): _S.FINISHED,
}
"""A launch from DRAFT is for campaigns that need no approval, and for breaking glass. A recurring one goes from RUNNING back to
SCHEDULED by itself (running.py); a paused one that has no run goes back to SCHEDULED."""

OPEN_RUNS: Final = frozenset(
    {RunStatus.PREPARING, RunStatus.RUNNING, RunStatus.TESTING, RunStatus.PAUSED, RunStatus.SENDING}
)


def after(status: CampaignStatus, command: Command) -> CampaignStatus | None:
    """None: that may not be done now."""
    return CAMPAIGN_MOVES.get((status, command))
