"""The frozen values that cross doors. No ORM object leaves its app; these do."""

from apps.core.types.callers import Caller, Tenant
from apps.core.types.carrying import Account, InboundText, OutboundMessage, Outcome, ProviderCall, Receipt
from apps.core.types.catalogue import EventType, Rendered
from apps.core.types.people import Address, Endpoint, InlineRecipient, NewSuppression, Recipient, Switch
from apps.core.types.work import Engagement, NewInboxItem, NewNotification, NotificationFacts, Work

__all__ = [
    "Account",
    "Address",
    "Caller",
    "Endpoint",
    "Engagement",
    "EventType",
    "InboundText",
    "InlineRecipient",
    "NewInboxItem",
    "NewNotification",
    "NewSuppression",
    "NotificationFacts",
    "OutboundMessage",
    "Outcome",
    "ProviderCall",
    "Receipt",
    "Recipient",
    "Rendered",
    "Switch",
    "Tenant",
    "Work",
]
