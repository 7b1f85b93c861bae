"""Alerts of a run that waits for somebody: it stopped by itself, or no variant has clearly won."""

from enum import StrEnum
from typing import Any

from apps.channels.alerts import end_alert, raise_alert


class Waiting(StrEnum):
    """STOPPED: by its brake, its budget, or an approval that it lacks."""

    STOPPED = "run_stopped"
    WINNER = "no_clear_winner"


def waits(run: Any, kind: Waiting, why: str) -> None:
    """Told once, however often it is noticed."""
    text = f"{run.campaign.name} ({run}): {why}"
    raise_alert(kind=kind, subject=str(run), text=text, tenant_id=run.tenant_id)


def goes_on(run: Any, *kinds: Waiting) -> None:
    for kind in kinds:
        end_alert(kind=kind, subject=str(run))
