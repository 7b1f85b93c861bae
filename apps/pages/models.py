"""What people say when they leave."""

from django.db import models

from apps.core.enums import Worded
from apps.core.tables import TenantTable


class Why(Worded):
    """Why somebody unsubscribed. The sentences are those of the page."""

    TOO_MANY = "too_many", "Too many messages"
    NOT_FOR_ME = "not_for_me", "Not interesting for me"
    NEVER_ASKED = "never_asked", "I never asked for them"
    ELSEWHERE = "elsewhere", "I get them elsewhere"
    OTHER = "other", "Another reason"


class Farewell(TenantTable):
    """One a delivery: the latest thing said counts. `event_type`: of the message that was the last straw."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    recipient = models.ForeignKey("audience.Recipient", on_delete=models.CASCADE, related_name="+")
    delivery_id = models.UUIDField(unique=True)
    event_type = models.CharField(max_length=100, blank=True)
    topic = models.CharField(max_length=100)
    channel = models.CharField(max_length=8)
    why = models.CharField(max_length=16, choices=[(why.value, why.sentence) for why in Why])
    words = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return self.why
