"""What happened, and what is left to do. DDL is SQL (migrations/0001): the big tables are range-partitioned by id."""

from apps.ledger.models.happened import (
    Attempt,
    Broadcast,
    Bundle,
    BundleItem,
    Change,
    Delivery,
    DeliveryEvent,
    InDoubt,
    Listener,
    Notification,
)
from apps.ledger.models.unfinished import DeadLetter, Lease, SeenKey, WorkItem

__all__ = [
    "Attempt",
    "Broadcast",
    "Bundle",
    "BundleItem",
    "Change",
    "DeadLetter",
    "Delivery",
    "DeliveryEvent",
    "InDoubt",
    "Lease",
    "Listener",
    "Notification",
    "SeenKey",
    "WorkItem",
]
