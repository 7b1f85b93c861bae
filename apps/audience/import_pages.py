"""What the pages of an import show."""

from typing import Any
from uuid import UUID

from apps.audience import models
from apps.audience.imports.answers import ImportAnswer, answer, faults_by_code, first_faults
from apps.core.admin_bases import ago

FIRST_FAULTS = 10
MOST_CODES = 20
STEPS = ("Upload", "Map the columns", "Check", "Write")
_STEP = {"uploaded": 2, "checking": 3, "checked": 3, "failed": 3}
TONES = {
    "finished": "success",
    "running": "info",
    "checking": "info",
    "checked": "warning",
    "uploaded": "warning",
    "paused": "warning",
    "failed": "danger",
    "cancelled": "danger",
}


def steps(current: int) -> list[dict[str, Any]]:
    return [
        {"number": number, "name": name, "is_current": number == current, "is_done": number < current}
        for number, name in enumerate(STEPS, 1)
    ]


def step_of(state: str) -> int:
    return _STEP.get(state, 4)


def shown(tenant_id: UUID, import_id: UUID) -> dict[str, Any]:
    """Everything of the page of one import, and of the part of it that keeps itself fresh."""
    found = answer(tenant_id, import_id)
    assert found is not None
    is_busy = found.state in ("checking", "running")
    done = found.checked if found.state == "checking" else found.written
    return {
        "one": found,
        "import_id": import_id,
        "sentence": models.ImportState(found.state).sentence,
        "tone": TONES[found.state],
        "steps": steps(step_of(found.state)),
        "is_busy": is_busy,
        "done": done,
        "percent": min(100, 100 * done // max(found.lines, 1)) if found.state != "finished" else 100,
        "left": "" if found.seconds_left is None else ago(found.seconds_left),
        "took": _took(found),
        "mapped": [(column, found.mapping[column]) for column in found.columns if column in found.mapping],
        "may_be_cancelled": found.state in ("uploaded", "checking", "checked", "running", "paused"),
        **_faults(tenant_id, import_id, found),
    }


def _took(found: ImportAnswer) -> str:
    if found.started_at is None or found.finished_at is None:
        return ""
    seconds = max((found.finished_at - found.started_at).total_seconds(), 0.001)
    return (
        f"{ago(seconds)}, {round(found.rows / seconds):,} rows a second" if found.state == "finished" else ago(seconds)
    )


def _faults(tenant_id: UUID, import_id: UUID, found: ImportAnswer) -> dict[str, Any]:
    if found.refused == 0 or found.state == "checking":
        return {"faults": [], "by_code": []}
    by_code = faults_by_code(tenant_id, import_id)
    return {
        "faults": first_faults(tenant_id, import_id, FIRST_FAULTS),
        "by_code": [(code, column, lines) for (code, column), lines in by_code.items()][:MOST_CODES],
        "more_codes": max(0, len(by_code) - MOST_CODES),
    }
