"""Files of people for Acme, from their bytes to the end, in this process."""

import csv
import io
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any
from uuid import UUID

from apps.audience import models
from apps.audience.imports import services, working
from apps.audience.imports.answers import ImportAnswer, answer, faults_csv
from apps.audience.imports.intake import Intake
from apps.core.types import Tenant


def taken(tenant: Tenant, data: str | bytes, *, step: int = 1 << 20, name: str = "people.csv") -> UUID:
    """Uploaded; its columns are mapped by guess."""
    raw = data.encode() if isinstance(data, str) else data
    intake = Intake(tenant.id)
    for start in range(0, len(raw), step):
        intake.feed(raw[start : start + step])
    intake.close()
    return services.create_import(tenant=tenant, intake=intake, file_name=name, by="mira")


def work() -> None:
    while working.work(ends=monotonic() + 60, threads=False):
        continue


def mapped(tenant: Tenant, import_id: UUID, mapping: Mapping[str, str] | None = None, **more: Any) -> ImportAnswer:
    """Checked; the mapping is the guessed one unless another is given."""
    known = models.Import.objects.of(tenant).get(id=import_id).mapping
    services.map_columns(tenant=tenant, import_id=import_id, mapping=mapping or known, **more)
    work()
    return seen(tenant, import_id)


def brought(tenant: Tenant, data: str | bytes, mapping: Mapping[str, str] | None = None, **more: Any) -> ImportAnswer:
    """The whole way."""
    import_id = taken(tenant, data)
    return mapped(tenant, import_id, mapping, may_run=True, **more)


def seen(tenant: Tenant, import_id: UUID) -> ImportAnswer:
    found = answer(tenant.id, import_id)
    assert found is not None
    return found


def people(tenant: Tenant) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """By user_id: locale, timezone, attributes."""
    rows = models.Recipient.objects.of(tenant).values_list("user_id", "locale", "timezone", "attributes")
    return {user_id: (locale, timezone, attributes) for user_id, locale, timezone, attributes in rows}


def refused(tenant: Tenant, import_id: UUID, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of the CSV that is downloaded."""
    text = b"".join(faults_csv(tenant.id, import_id, columns)).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def left_over(import_id: UUID) -> tuple[int, bool]:
    """Chunks, and whether the staging table is there."""
    from apps.audience.imports.staging import staged_tables

    chunks = models.ImportChunk.objects.all_tenants().filter(import_id=import_id).count()
    return chunks, import_id in staged_tables()
