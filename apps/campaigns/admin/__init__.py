"""The pages of campaigns."""

from apps.campaigns.admin import listing, live

__all__ = ["listing", "live"]
