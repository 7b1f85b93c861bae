"""The end of what an import keeps."""

from uuid import UUID

from apps.audience import models
from apps.audience.imports import staging


def drop_contents(tenant_id: UUID, import_id: UUID) -> None:
    """The file and its staged rows. What was refused stays for a while, sealed, to be looked at."""
    staging.drop(import_id)
    models.ImportChunk.objects.of(tenant_id).filter(import_id=import_id).delete()
    models.ImportLane.objects.of(tenant_id).filter(import_id=import_id).delete()
