"""What imports leave behind, taken away: files that nobody finished, refused rows after FAULT_DAYS, tables whose import is over."""

from datetime import datetime, timedelta

from apps.audience import models
from apps.audience.imports import staging
from apps.audience.imports.discarding import drop_contents
from apps.audience.imports.services import OPEN
from apps.core import ids

FAULT_DAYS = 7
FILE_DAYS = 7
# an upload takes no longer
UPLOAD = timedelta(days=1)


def forget_old(now: datetime) -> int:
    """How many imports lost what they kept."""
    rows = models.Import.objects.all_tenants()
    idle = rows.filter(state__in=("uploaded", "checked", "paused"), updated_at__lt=now - timedelta(days=FILE_DAYS))
    idle.update(state="cancelled", finished_at=now, error=f"Nobody went on with it for {FILE_DAYS} days.")
    over = rows.exclude(state__in=OPEN)
    chunks = models.ImportChunk.objects.all_tenants().filter(import_id__in=over.values("id"))
    left = over.filter(id__in={*chunks.values_list("import_id", flat=True).distinct(), *staging.staged_tables()})
    for tenant_id, import_id in (found := list(left.values_list("tenant_id", "id"))):
        drop_contents(tenant_id, import_id)
    _drop_unknown(now)
    old = over.filter(finished_at__lt=now - timedelta(days=FAULT_DAYS)).values("id")
    models.ImportFault.objects.all_tenants().filter(import_id__in=old).delete()
    return len(found)


def _drop_unknown(now: datetime) -> None:
    """What is left of uploads that broke off, and of tenants that are gone: no import names it."""
    known = models.Import.objects.all_tenants()
    for model in (models.ImportChunk, models.ImportFault, models.ImportLane):
        rows = model.objects.all_tenants().filter(import_id__lt=ids.bound(now - UPLOAD))
        rows.exclude(import_id__in=known.values("id")).delete()
    staged = staging.staged_tables()
    for import_id in staged - set(known.filter(id__in=staged).values_list("id", flat=True)):
        staging.drop(import_id)
