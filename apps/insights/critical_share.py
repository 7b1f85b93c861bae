"""How much of what a tenant sends is critical, and so passes over what people chose: an alert where it is too much of it."""

from datetime import datetime, timedelta

from apps.channels.alerts import end_alert, raise_alert
from apps.ledger.weighing import Share, critical_shares
from apps.tenants.selectors import critical_share_limits

KIND = "critical_share"
WINDOW = timedelta(hours=1)
LEAST = 100
"""Notifications in the window; of fewer the share says nothing."""


def watch(now: datetime) -> None:
    """One alert a tenant; it ends when the share of an hour is in order again, or nothing much is sent."""
    shares = {share.tenant_id: share for share in critical_shares(now - WINDOW)}
    for tenant_id, (slug, most) in critical_share_limits().items():
        share = shares.get(tenant_id)
        if share is not None and is_too_much(share, most):
            percent = share.critical * 100 / share.total
            text = (
                f"{percent:.0f} % of what {slug} sent in an hour is critical ({share.critical} of {share.total}); {most} % is the limit. "
                "Critical passes over what people switched off: see which event types those are."
            )
            raise_alert(kind=KIND, subject=slug, text=text, tenant_id=tenant_id)
        else:
            end_alert(kind=KIND, subject=slug)


def is_too_much(share: Share, most: int) -> bool:
    return share.total >= LEAST and share.critical * 100 > most * share.total
