"""Lists of tables that grow without end: newest first, paged by id, never counted.

Page numbers and totals need COUNT(*) and OFFSET, which read everything. Here a page is one walk down the primary key, and a
filter that no index serves looks at no more than LOOK_BACK rows, says so, and goes on from there when asked to.
"""

from typing import Any
from uuid import UUID

from django.contrib.admin import ShowFacets
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest

from apps.core.admin_bases import ModelAdmin

LOOK_BACK = 50_000
CURSOR = "before"


class Feed(ChangeList):
    """`next_before`: the id the next page begins below, or None at the end. `is_cut`: the filter stopped at LOOK_BACK."""

    next_before: UUID | None
    is_cut: bool
    before: UUID | None

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.before = _uuid(request.GET.get(CURSOR, ""))
        super().__init__(request, *args, **kwargs)

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        return {name: value for name, value in super().get_filters_params(params).items() if name != CURSOR}

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str | Combinable]:
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        rows = self.queryset if self.before is None else self.queryset.filter(pk__lt=self.before)
        floor = self._floor() if self.has_active_filters and not self.query else None
        if floor is not None:
            rows = rows.filter(pk__gte=floor)
        found = list(rows[: self.list_per_page + 1])
        page = found[: self.list_per_page]
        has_more = len(found) > len(page)
        self.is_cut = floor is not None and not has_more
        self.next_before = page[-1].pk if has_more else floor
        if isinstance(self.model_admin, FeedAdmin):
            self.model_admin.complete(page)
        self.result_list: Any = page
        self.result_count = self.full_result_count = len(page)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = bool(page)
        self.paginator = FeedPaginator(page, self.list_per_page)

    def _floor(self) -> UUID | None:
        """The last row this page may look at; None when there are fewer."""
        rows = self.root_queryset.order_by("-pk")
        if self.before is not None:
            rows = rows.filter(pk__lt=self.before)
        found: UUID | None = rows.values_list("pk", flat=True)[LOOK_BACK : LOOK_BACK + 1].first()
        return found

    @property
    def next_url(self) -> str:
        return self.get_query_string({CURSOR: str(self.next_before)})

    @property
    def newest_url(self) -> str:
        return self.get_query_string(remove=[CURSOR])

    @property
    def looked_back(self) -> int:
        return LOOK_BACK


class FeedPaginator(Paginator):  # type: ignore[type-arg]
    """Only what the template needs: the page is there already."""

    template_name = "admin/feed_pagination.html"


class FeedAdmin(ModelAdmin):
    """The base of such lists. `complete` adds to a page's rows what belongs to other tables, a fixed number of queries a page."""

    list_per_page = 50
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    sortable_by = ()
    list_filter_submit = True

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Feed

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only what is offered: any other column may have no index."""
        return lookup in {getattr(one, "parameter_name", None) for one in self.list_filter}

    def complete(self, rows: list[Any]) -> None:
        """Nothing by default."""


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
