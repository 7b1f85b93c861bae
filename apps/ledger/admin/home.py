"""Home: the last day, what waits, what needs somebody; on an empty installation, the way to the first notification."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest

from apps.core import clock
from apps.core.admin_bases import ago
from apps.core.admin_panels import panel
from apps.core.tenant_scope import sees_all
from apps.ledger.admin.figures import capped, is_empty, lanes, last_day
from apps.ledger.admin.settling import groups
from apps.tenants.selectors import has_keys, tenants

MAY = "ledger.view_notification"
SLOW_SECONDS = 60


@panel("home", order=0, template="admin/ledger/first_steps.html", permission=MAY)
def first_steps(request: HttpRequest, subject: UUID | None) -> Mapping[str, Any] | None:
    if not sees_all() or not is_empty():
        return None
    return {"has_tenant": bool(tenants()), "has_key": has_keys(), "url": settings.PUBLIC_URL}


@panel("home", order=10, template="admin/ledger/day.html", permission=MAY)
def day(request: HttpRequest, subject: UUID | None) -> Mapping[str, Any] | None:
    found = last_day(clock.now())
    deliveries = "admin:ledger_delivery_changelist"
    return {
        "figures": [
            ("Accepted", found.accepted, "", "notifications", "admin:ledger_notification_changelist", ""),
            ("Sent", found.sent, "", "taken by a provider", deliveries, "?status=handed_over"),
            ("Delivered", found.delivered, "of-arrivals", "proved by a receipt", deliveries, "?status=delivered"),
            (
                "Failed",
                found.failed,
                "of-failures",
                "failed, bounced, expired, in doubt",
                deliveries,
                "?status=trouble",
            ),
            ("Withheld", found.withheld, "", "each with its reason", deliveries, "?status=skipped"),
        ],
        "is_estimate": found.accepted.is_estimate or found.sent.is_estimate,
    }


@panel("home", order=30, template="admin/ledger/lanes.html", permission=MAY)
def waiting(request: HttpRequest, subject: UUID | None) -> Mapping[str, Any] | None:
    """Lanes are everybody's: shown to who may see every tenant."""
    if not sees_all():
        return None
    return {
        "lanes": [
            {
                "name": lane.name,
                "due": capped(lane.due),
                "planned": capped(lane.planned),
                "waits": ago(lane.waits) if lane.waits is not None else "-",
                "is_slow": lane.waits is not None and lane.waits > SLOW_SECONDS,
            }
            for lane in lanes()
        ]
    }


@panel("home", order=20, template="admin/ledger/open_letters.html", permission="ledger.view_deadletter")
def open_letters(request: HttpRequest, subject: UUID | None) -> Mapping[str, Any] | None:
    found = groups()
    if not found.rows:
        return None
    return {"groups": found.rows[:5], "count": f"{found.count:,}+" if found.is_capped else f"{found.count:,}"}
