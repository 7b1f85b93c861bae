"""Files of people on their way in."""

from typing import Any, ClassVar

from django.db import models

from apps.core.enums import Worded
from apps.core.tables import TenantManager, TenantTable


class ImportState(Worded):
    UPLOADED = "uploaded", "The file is here; its columns are to be mapped."
    CHECKED = "checked", "Its rows were checked; nobody was changed yet."
    RUNNING = "running", "Its rows are being written."
    PAUSED = "paused", "It was stopped and can go on where it was."
    FINISHED = "finished", "Every row was written or refused."
    CANCELLED = "cancelled", "It was stopped for good; what was written before stays."
    FAILED = "failed", "The file could not be read."


class Import(TenantTable):
    """`columns`: header names in order; `mapping`: {column: field}; `cursor`: lines whose rows are written, committed with them.
    Counts are of rows. `list_segment`: the list that its people are put on."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    file_name = models.CharField(max_length=200)
    by = models.CharField(max_length=150)
    state = models.CharField(max_length=10, choices=[(s.value, s.sentence) for s in ImportState], default="uploaded")
    columns = models.JSONField(default=list)
    mapping = models.JSONField(default=dict)
    list_segment = models.ForeignKey("audience.Segment", null=True, on_delete=models.SET_NULL, related_name="+")
    total = models.PositiveIntegerField(default=0)
    cursor = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [models.Index(fields=["tenant", "id"], name="import_tenant")]

    def __str__(self) -> str:
        return self.file_name


class ImportRow(models.Model):
    """A line as it was read, deleted when its import ends. `line`: in the file, the header is 1."""

    pk = models.CompositePrimaryKey("import_id", "line")
    import_id = models.UUIDField()
    line = models.PositiveIntegerField()
    values = models.JSONField()

    objects: ClassVar[Any] = TenantManager()


class ImportFault(models.Model):
    """Why a line was refused: `code` of the API's errors, `column` that it is about."""

    pk = models.CompositePrimaryKey("import_id", "line", "column")
    import_id = models.UUIDField()
    tenant_id = models.UUIDField()
    line = models.PositiveIntegerField()
    column = models.CharField(max_length=100)
    code = models.CharField(max_length=64)
    detail = models.CharField(max_length=300)

    objects: ClassVar[Any] = TenantManager()
