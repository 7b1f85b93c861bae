"""Pages about who is told: endpoints, and how each attempt went."""

from apps.webhooks.admin import attempts, endpoints

__all__ = ["attempts", "endpoints"]
