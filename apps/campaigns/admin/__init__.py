"""The pages of campaigns."""

from apps.campaigns.admin import home, listing, live

__all__ = ["home", "listing", "live"]
