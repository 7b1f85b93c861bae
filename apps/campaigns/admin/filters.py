"""What the list of campaigns is narrowed by."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from apps.campaigns.lifecycle import CampaignStatus
from apps.core.admin_filters import DropdownFilter, one_of

MOST_OWNERS = 200

StatusFilter = one_of("status", CampaignStatus)


class PutAwayFilter(DropdownFilter):
    """Without it the list has what was not put away."""

    title = "archive"
    parameter_name = "archived"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("only", "archived only"), ("all", "archived too")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "all":
                return queryset
            case "only":
                return queryset.filter(archived_at__isnull=False)
        return queryset.filter(archived_at=None)


class OwnerFilter(DropdownFilter):
    title = "owner"
    parameter_name = "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = model_admin.get_queryset(request).order_by("created_by")
        found = rows.values_list("created_by", flat=True).distinct()[:MOST_OWNERS]
        return [(name, name.removeprefix("operator ")) for name in found]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(Q(created_by=self.value())) if self.value() else queryset
