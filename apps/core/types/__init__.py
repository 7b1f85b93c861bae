"""The frozen values that cross doors. No ORM object leaves its app; these do."""

from apps.core.types.callers import Caller, Tenant
from apps.core.types.carrying import Account, InboundText, OutboundMessage, Outcome, ProviderCall, Receipt
from apps.core.types.catalogue import Critical, EventType, Rendered
from apps.core.types.changes import Author, Cell, Change, DigestTime, OwnQuietHours
from apps.core.types.choices import (
    NOTHING_CHOSEN,
    Cap,
    Choices,
    Default,
    Grouping,
    Mute,
    QuietHours,
    Switch,
    TenantRules,
)
from apps.core.types.people import Address, Endpoint, InlineRecipient, NewSuppression, Recipient, Veto
from apps.core.types.work import Engagement, NewInboxItem, NewNotification, NotificationFacts, Work

__all__ = [
    "NOTHING_CHOSEN",
    "Account",
    "Address",
    "Author",
    "Caller",
    "Cap",
    "Cell",
    "Change",
    "Choices",
    "Critical",
    "Default",
    "DigestTime",
    "Endpoint",
    "Engagement",
    "EventType",
    "Grouping",
    "InboundText",
    "InlineRecipient",
    "Mute",
    "NewInboxItem",
    "NewNotification",
    "NewSuppression",
    "NotificationFacts",
    "OutboundMessage",
    "Outcome",
    "OwnQuietHours",
    "ProviderCall",
    "QuietHours",
    "Receipt",
    "Recipient",
    "Rendered",
    "Switch",
    "Tenant",
    "TenantRules",
    "Veto",
    "Work",
]
