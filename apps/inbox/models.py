"""The in-app feed."""

from django.db import models

from apps.core import ids
from apps.core.tables import TenantTable


class InboxItem(TenantTable):
    """One message in a recipient's feed; its id is its delivery's. `sealed`: JSON {title, body, action_url, icon}, bound to the id.

    `position`: a UUIDv7 of the moment it was put into the feed, which the feed is ordered by. The id will not do: a delivery's id
    carries the time its notification was accepted, so what was scheduled or held would come up in the middle of the feed.
    `group`: items that a later summary of the same group takes the place of, while they are unread.
    What is unseen is also unread (reading and archiving see), so one partial index counts both.
    """

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    recipient = models.ForeignKey("audience.Recipient", on_delete=models.CASCADE, related_name="+", db_index=False)
    notification_id = models.UUIDField()
    position = models.UUIDField(default=ids.new, editable=False)
    event_type = models.CharField(max_length=100, blank=True)
    category = models.CharField(max_length=16)
    group = models.CharField(max_length=300, blank=True)
    sealed = models.BinaryField()
    expires_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["recipient", "-position"], name="inbox_feed"),
            models.Index(
                fields=["recipient"],
                condition=models.Q(read_at=None, archived_at=None),
                name="inbox_unread",
            ),
        ]
