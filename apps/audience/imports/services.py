"""What doors do with imports. Every function names the tenant; another tenant's import is not found."""

from collections.abc import Mapping
from uuid import UUID

from celery import signature
from django.db import transaction
from kombu.exceptions import OperationalError as BrokerError

from apps.audience import models
from apps.audience.imports.discarding import drop_contents
from apps.audience.imports.fields import plan_of
from apps.audience.imports.guessing import guess
from apps.audience.imports.intake import Intake
from apps.core import clock
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.rows import fetch
from apps.core.types import Tenant

QUEUE = "bulk"
OPEN = ("uploaded", "checking", "checked", "running", "paused")
# a statement may wait for a page that is being written
_PATIENCE = "SET LOCAL lock_timeout = '25s'"


def create_import(*, tenant: Tenant, intake: Intake, file_name: str, by: str) -> UUID:
    """Of a file that was taken in whole. Its mapping is guessed; nothing is checked before `map_columns`."""
    assert intake.head is not None
    mapping = guess(intake.head.columns, intake.head.samples)
    row = models.Import.objects.create(
        id=intake.import_id,
        tenant_id=tenant.id,
        file_name="".join(char for char in file_name if char.isprintable())[-200:] or "people.csv",
        by=by[:150],
        encoding=intake.encoding,
        delimiter=intake.head.delimiter,
        skipped=intake.head.skipped,
        size=intake.size,
        lines=intake.lines,
        columns=list(intake.head.columns),
        mapping=mapping,
    )
    found: UUID = row.id
    return found


def map_columns(
    *, tenant: Tenant, import_id: UUID, mapping: Mapping[str, str], list_id: UUID | None = None, may_run: bool = False
) -> None:
    """Begins the check; with `may_run` what is right is written at once after it. Raises Problem: not_found, conflict,
    invalid_mapping."""
    with transaction.atomic():
        row = _locked(tenant, import_id)
        if row.state not in ("uploaded", "checked"):
            raise _refusal(row, "map its columns")
        plan_of(row.columns, mapping)
        models.Import.objects.of(tenant).filter(id=import_id).update(
            mapping=dict(mapping), list_segment_id=list_id, may_run=may_run, state="checking", checked=0, error="",
            lease_until=None, deaths=0, updated_at=clock.now(),
        )  # fmt: skip
        transaction.on_commit(wake)


def start_import(*, tenant: Tenant, import_id: UUID) -> None:
    """Writes a checked file, or goes on with a paused one. While it is being checked: as soon as that is done. Raises Problem."""
    now = clock.now()
    with transaction.atomic():
        row = _locked(tenant, import_id)
        fields: dict[str, object]
        match row.state:
            case "checking":
                fields = {"may_run": True}
            case "checked" | "paused":
                fields = {
                    "state": "running",
                    "started_at": row.started_at or now,
                    "lease_until": None,
                    "deaths": 0,
                    "error": "",
                }
            case "running":
                return
            case _:
                raise _refusal(row, "start it")
        models.Import.objects.of(tenant).filter(id=import_id).update(updated_at=now, rate=0, **fields)
        transaction.on_commit(wake)


def pause_import(*, tenant: Tenant, import_id: UUID) -> None:
    """When it returns, nothing more is written. Raises Problem."""
    with transaction.atomic():
        row = _locked(tenant, import_id)
        if row.state == "paused":
            return
        if row.state != "running":
            raise _refusal(row, "pause it")
        models.Import.objects.of(tenant).filter(id=import_id).update(
            state="paused", lease_until=None, updated_at=clock.now()
        )
    with transaction.atomic():
        _await_pages(import_id)


def cancel_import(*, tenant: Tenant, import_id: UUID) -> None:
    """For good: file and staged rows are gone when it returns; who was written stays. Raises Problem."""
    now = clock.now()
    with transaction.atomic():
        row = _locked(tenant, import_id)
        if row.state not in OPEN:
            raise _refusal(row, "cancel it")
        models.Import.objects.of(tenant).filter(id=import_id).update(
            state="cancelled", finished_at=now, lease_until=None, updated_at=now
        )
    with transaction.atomic():
        _await_pages(import_id)
        drop_contents(tenant.id, import_id)


def withdraw_import(*, tenant: Tenant, import_id: UUID) -> None:
    """Of an upload whose request is refused: as if it had never come."""
    with transaction.atomic():
        models.Import.objects.of(tenant).filter(id=import_id, state="uploaded").delete()
        drop_contents(tenant.id, import_id)


def wake() -> None:
    """A worker is told at once; if nobody can be told now, the clockwork does it within seconds."""
    try:
        signature("audience.work_imports").apply_async(queue=QUEUE, retry=False, ignore_result=True)
    except BrokerError:
        return


def _locked(tenant: Tenant, import_id: UUID) -> models.Import:
    rows = models.Import.objects.of(tenant).select_for_update(no_key=True)
    row: models.Import | None = rows.filter(id=import_id).first()
    if row is None:
        raise Problem(Code.NOT_FOUND, "There is no such import.")
    return row


def _await_pages(import_id: UUID) -> None:
    """Those that a worker is writing end; no other begins, as the state says so already."""
    fetch(_PATIENCE, {})
    fetch("SELECT id FROM audience_import WHERE id = %(id)s FOR UPDATE", {"id": import_id})


def _refusal(row: models.Import, what: str) -> Problem:
    said = models.ImportState(row.state).sentence
    return Problem(Code.CONFLICT, f"Nobody can {what} now: it is {row.state}. {said}")
