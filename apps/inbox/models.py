"""The in-app feed."""

from django.db import models

from apps.core.tables import TenantTable


class InboxItem(TenantTable):
    """One message in a recipient's feed; its id is its delivery's. `sealed`: JSON {title, body, action_url, icon}, bound to the id."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    recipient = models.ForeignKey("audience.Recipient", on_delete=models.CASCADE, related_name="+")
    notification_id = models.UUIDField()
    event_type = models.CharField(max_length=100, blank=True)
    category = models.CharField(max_length=16)
    sealed = models.BinaryField()
    expires_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["recipient", "-id"], name="inbox_feed"),
            models.Index(
                fields=["recipient"],
                condition=models.Q(read_at=None, archived_at=None),
                name="inbox_unread",
            ),
        ]
