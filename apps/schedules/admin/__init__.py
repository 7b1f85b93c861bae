"""Pages about what is sent later: schedules, and what became of each time."""

from apps.schedules.admin import runs, schedules

__all__ = ["runs", "schedules"]
