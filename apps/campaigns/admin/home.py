"""Home: the campaigns that are under way, and those that wait for somebody."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Subquery, Sum
from django.http import HttpRequest

from apps.campaigns.lifecycle import OPEN_RUNS, RunStatus
from apps.campaigns.models import Run, Wave
from apps.core.admin_panels import panel

MOST = 6
_SHOWN = (
    "id",
    "status",
    "number",
    "campaign__name",
    "audience_size",
    "pause_detail",
    "paused_by",
    "paused_at",
    "started_at",
)


@panel("home", order=5, template="admin/campaigns/live_home.html", permission="campaigns.view_campaign")
def under_way(request: HttpRequest, subject: UUID | None) -> Mapping[str, Any] | None:
    """One query. The newest MOST; paused ones first: they wait for somebody."""
    rows = Run.objects.all_tenants().filter(status__in=list(OPEN_RUNS)).values(*_SHOWN)
    waves = Wave.objects.all_tenants().filter(run_id=OuterRef("id")).order_by().values("run_id")
    seen = Subquery(waves.annotate(all=Sum("seen")).values("all"))
    found = list(rows.annotate(seen=seen).order_by("-id")[: MOST * 3])
    if not found:
        return None
    for row in found:
        row["seen"] = row["seen"] or 0
        row["whole"] = max(row["audience_size"] or 0, row["seen"])
        row["percent"] = min(99, 100 * row["seen"] // row["whole"]) if row["whole"] else 0
    return {
        "waiting": [row for row in found if row["status"] == RunStatus.PAUSED],
        "running": [row for row in found if row["status"] != RunStatus.PAUSED][:MOST],
    }
