"""Files of people on their way in. The rows of a file that is checked stand in a table of their own (imports/staging.py)."""

from typing import Any, ClassVar

from django.db import models

from apps.core import ids
from apps.core.enums import Worded
from apps.core.tables import TenantManager, TenantTable


class ImportState(Worded):
    UPLOADED = "uploaded", "The file is here; its columns are to be mapped."
    CHECKING = "checking", "Its rows are being checked; nobody is changed."
    CHECKED = "checked", "Its rows were checked; nobody was changed yet."
    RUNNING = "running", "Its rows are being written."
    PAUSED = "paused", "It was stopped and can go on where it was."
    FINISHED = "finished", "Every row was written or refused."
    CANCELLED = "cancelled", "It was stopped for good; what was written before stays."
    FAILED = "failed", "The file could not be read."


class Import(TenantTable):
    """`columns`: header names in order; `mapping`: {column: field} (imports/fields.py). `lines`: of the file, header and the `skipped`
    before it included.
    `checked`, `written`: lines that were, `written` committed with their rows (the sum of the lanes' cursors).

    `rows`: those that were read, of which `refused` stay out; `doubled`: those whose person another row names too;
    `to_create`, `to_change`: people, as the check found them; `created`, `changed`: people; `added`: addresses. `rate`: lines a second,
    lately. `list_segment`: the list that its people are put on. `keys`: of which keys the staged rows are. `deaths`: since it last went on.
    """

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    file_name = models.CharField(max_length=200)
    by = models.CharField(max_length=150)
    state = models.CharField(max_length=10, choices=[(s.value, s.sentence) for s in ImportState], default="uploaded")
    encoding = models.CharField(max_length=16)
    delimiter = models.CharField(max_length=1)
    skipped = models.PositiveSmallIntegerField(default=0)
    size = models.PositiveBigIntegerField()
    lines = models.PositiveIntegerField()
    columns = models.JSONField(default=list)
    mapping = models.JSONField(default=dict)
    list_segment = models.ForeignKey("audience.Segment", null=True, on_delete=models.SET_NULL, related_name="+")
    may_run = models.BooleanField(default=False)
    keys = models.CharField(max_length=200, blank=True)
    rows = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    doubled = models.PositiveIntegerField(default=0)
    addresses = models.PositiveIntegerField(default=0)
    to_create = models.PositiveIntegerField(default=0)
    to_change = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    checked = models.PositiveIntegerField(default=0)
    written = models.PositiveIntegerField(default=0)
    rate = models.FloatField(default=0)
    checked_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    lease_token = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    deaths = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "id"], name="import_tenant"),
            models.Index(
                fields=["id"], name="import_at_work", condition=models.Q(state__in=("checking", "running", "paused"))
            ),
        ]

    def __str__(self) -> str:
        return self.file_name


class ImportChunk(models.Model):
    """A piece of the file, whole lines as UTF-8, compressed and sealed. Deleted when its import ends."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    tenant_id = models.UUIDField()
    import_id = models.UUIDField()
    number = models.PositiveIntegerField()
    sealed = models.BinaryField()

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["import_id", "number"], name="import_chunk_once")]


class ImportLane(models.Model):
    """Half of the people of an import, by a hash of their user_id: `cursor` is the last line whose rows are written."""

    pk = models.CompositePrimaryKey("import_id", "lane")
    tenant_id = models.UUIDField()
    import_id = models.UUIDField()
    lane = models.PositiveSmallIntegerField()
    cursor = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)

    objects: ClassVar[Any] = TenantManager()


class ImportFault(models.Model):
    """A line that was refused: the first `code` (of the API's errors) and its `column`; `sealed` has the values as they were read and
    every fault in words. Deleted some days after its import ended."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    tenant_id = models.UUIDField()
    import_id = models.UUIDField()
    line = models.PositiveIntegerField()
    column = models.CharField(max_length=100)
    code = models.CharField(max_length=64)
    sealed = models.BinaryField()

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["import_id", "line"], name="import_fault_once")]
