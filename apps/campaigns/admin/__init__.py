"""The pages of campaigns."""

from apps.campaigns.admin import approvals, home, listing, live, policies

__all__ = ["approvals", "home", "listing", "live", "policies"]
