"""The ledger's pages: what was asked for, what became of it, what waits for an operator. Nothing is added or deleted here."""

from apps.ledger.admin import dead_letters, deliveries, home, in_doubt, notifications, people

__all__ = ["dead_letters", "deliveries", "home", "in_doubt", "notifications", "people"]
