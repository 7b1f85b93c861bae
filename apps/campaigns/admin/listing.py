"""The list of campaigns, and the way to each one's page."""

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from msgspec import convert

from apps.audience.segments import stored
from apps.campaigns import composing, progress, results, schedule_words
from apps.campaigns.admin.composer import Composer, said_of
from apps.campaigns.admin.deeds import Deeds
from apps.campaigns.admin.filters import OwnerFilter, PutAwayFilter, StatusFilter
from apps.campaigns.admin.parts import Parts
from apps.campaigns.admin.reviewing import Reviewing
from apps.campaigns.admin.tabs import BY_NAME
from apps.campaigns.audience_words import audience_words, named_in
from apps.campaigns.definitions import CampaignValues
from apps.campaigns.forms import NewCampaignForm
from apps.campaigns.lifecycle import CampaignStatus, Command, after
from apps.campaigns.models import Campaign, Run
from apps.core import clock
from apps.core.admin_bases import ModelAdmin, display, operator
from apps.core.admin_trail import DONE
from apps.core.types import Tenant
from apps.schedules.timing import wall_of
from apps.tenants.selectors import tenant_by_id
from apps.tenants.tenant_filter import TenantColumn, TenantFilter, seen_tenants

TONES = {
    **dict.fromkeys(("approved", "finished"), "success"),
    **dict.fromkeys(("running", "scheduled"), "info"),
    **dict.fromkeys(("in review", "paused"), "warning"),
    "cancelled": "danger",
}
NAME = "campaigns_campaign"


class NewForm(NewCampaignForm):
    class Meta:
        model = Campaign
        fields = ("tenant", "name", "mode", "category", "channels")


@admin.register(Campaign)
class CampaignAdmin(TenantColumn, Parts, Reviewing, Deeds, ModelAdmin):
    """A campaign's own page is the composer (composer.py); its runs have pages of their own."""

    class Media:
        css: ClassVar[dict[str, list[str]]] = {"all": ["campaigns/compose.css"]}
        js = ("campaigns/compose.js",)

    form = NewForm
    list_display = ("called", "tenant", "state", "for_whom", "when", "progress", "result", "owner")
    list_filter = (StatusFilter, OwnerFilter, PutAwayFilter, TenantFilter)
    list_filter_submit = True
    list_select_related = ("tenant",)
    list_per_page = 50
    search_fields = ("name",)
    ordering = ("-id",)
    sortable_by = ()
    actions_row = ("duplicate_row", "put_away_row")
    empty_sentence = (
        "A campaign is one message, or a few to choose from, for many people: now, at a time, or again and again."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        runs = Run.objects.all_tenants().filter(campaign=OuterRef("pk")).order_by("-id")
        found: QuerySet[Any] = Campaign.objects.all_tenants().annotate(run_id=Subquery(runs.values("id")[:1]))
        return found

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_gone = obj is not None and (obj.status != CampaignStatus.DRAFT or obj.launched_at is not None)
        return not is_gone and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Deleting is for drafts, one by one."""
        return {}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        answer = super().changelist_view(request, extra_context)
        shown = (getattr(answer, "context_data", None) or {}).get("cl")
        if shown is not None:
            _prepare(list(shown.result_list))
        return answer

    @display(description="Campaign")
    def called(self, row: Any) -> str:
        return str(row.name)

    @display(description="Status", label=TONES)
    def state(self, row: Any) -> str:
        return str(row.status).replace("_", " ")

    @display(description="Audience")
    def for_whom(self, row: Any) -> SafeString:
        return format_html('<span class="n-clip">{}</span>', audience_words(row.audience or {}, _names(row)) or "-")

    @display(description="Schedule")
    def when(self, row: Any) -> SafeString | str:
        if row.status == CampaignStatus.SCHEDULED and row.next_fire_at:
            at = row.next_fire_at
            time = format_html(
                '<time class="n-time" data-moment datetime="{}">{}</time>', at.isoformat(), f"{at:%d %b %H:%M} UTC"
            )
            if not (row.next_wall and schedule_words.is_on_every_clock(row.schedule or {})):
                return time
            said = f"{schedule_words.wall(wall_of(row.next_wall))} on everybody's own clock"
            return format_html('<span class="n-clip">{}<br><small class="n-dim">from {} on</small></span>', said, time)
        return format_html('<span class="n-clip">{}</span>', schedule_words.when(row.schedule or {}))

    @display(description="Progress")
    def progress(self, row: Any) -> SafeString | str:
        done, whole = getattr(row, "share", None) or (0, 0)
        if not row.run_id:
            return "-"
        percent = min(100, 100 * done // whole) if whole else 0
        said = f"{done:,} of {whole:,}" if whole else "counting"
        return format_html(
            '<a class="n-link" href="{}"><progress max="100" value="{}">{} %</progress> <span class="n-nowrap">{}</span></a>',
            reverse("admin:campaigns_run_change", args=[row.run_id]),
            percent,
            percent,
            said,
        )

    @display(description="Result")
    def result(self, row: Any) -> SafeString | str:
        found = getattr(row, "came_to", None)
        if not found or not found.audience:
            return "-"
        parts = [("delivered", found.delivered), ("opened", found.opened), ("clicked", found.clicked)]
        bars = [f"{max(1, round(24 * number / found.audience)) if number else 0}" for _, number in parts]
        said = ", ".join(f"{number:,} {word}" for word, number in parts)
        return format_html(
            '<span class="n-spark" role="img" title="{0}" aria-label="{0}"><i style="height:{1}px"></i><i style="height:{2}px"></i>'
            '<i style="height:{3}px"></i></span>',
            said,
            *bars,
        )

    @display(description="Owner")
    def owner(self, row: Any) -> str:
        return str(row.created_by).removeprefix("operator ")

    def get_urls(self) -> list[URLPattern]:
        return [*self.part_urls(), *self.review_urls(), *self.deed_urls(), *super().get_urls()]

    def urls_of(self, *pages: tuple[str, Any]) -> list[URLPattern]:
        """(what follows the id, view); a page's name is its last word."""
        return [
            path(f"<uuid:object_id>/{name}/", self.admin_site.admin_view(view), name=f"{NAME}_{name.replace('-', '_')}")
            for name, view in pages
        ]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        found = seen_tenants()
        return {"tenant": found[0].id} if len(found) == 1 else {}

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        plain = {"show_save_and_add_another": False, "show_save_and_continue": False, "title": "New campaign"}
        return super().add_view(request, form_url, {**plain, **(extra_context or {})})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        given = {name: form.cleaned_data[name] for name in ("name", "mode", "category", "channels")}
        obj.id = composing.create_campaign(
            tenant=tenant_of(obj), values=convert(given, CampaignValues), by=operator(request), now=clock.now()
        )

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return HttpResponseRedirect(page_of(obj.id))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.seen(request, object_id)
        asked = request.POST if request.method == "POST" else request.GET
        composer = Composer(tenant_of(row), row, asked.get("tab", ""))
        if request.method == "POST":
            return self._save(request, composer)
        return self.page(request, composer)

    def page(self, request: HttpRequest, composer: Composer) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            **composer.context(),
            **self.tab_context(request, composer),
            "title": composer.row.name,
            "opts": self.opts,
            "original": composer.row,
            "me": operator(request),
            "shown_status": str(composer.row.status).replace("_", " "),
            "run_page": _run_page(composer.row),
            "may_reopen": after(CampaignStatus(composer.row.status), Command.EDIT) is not None,
            "may_change": self.has_change_permission(request, composer.row),
            "may_delete": self.has_delete_permission(request, composer.row),
        }
        return TemplateResponse(request, "admin/campaigns/compose.html", context)

    def _save(self, request: HttpRequest, composer: Composer) -> HttpResponse:
        if not self.has_change_permission(request, composer.row):
            raise PermissionDenied
        by, is_quick = operator(request), request.headers.get("HX-Request") == "true"
        composer.take(request.POST, by=by)
        if composer.changed:
            self.log_change(request, composer.row, said_of(composer.changed))
        request.META[DONE] = True
        if is_quick:
            answer = TemplateResponse(
                request,
                "admin/campaigns/compose_saved.html",
                {**composer.context(), "me": by, "opts": self.opts, "may_change": True},
            )
            if composer.changed:
                answer["HX-Trigger"] = f"changed-{composer.tab.name}"
            return answer
        if not composer.is_saved:
            return self.page(request, composer)
        if request.POST.get("do"):
            return self.do(request, composer, request.POST["do"])
        wanted = request.POST.get("go", "")
        return HttpResponseRedirect(page_of(composer.row.id, wanted if wanted in BY_NAME else composer.tab.name))

    def seen(self, request: HttpRequest, object_id: Any) -> Any:
        """The row, if it is one that the person may look at."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        try:
            id_ = UUID(str(object_id))
        except ValueError:
            id_ = UUID(int=0)
        return get_object_or_404(self.get_queryset(request).select_related("tenant"), id=id_)


def tenant_of(row: Any) -> Tenant:
    found = tenant_by_id(row.tenant_id)
    assert found is not None
    return found


def page_of(campaign_id: Any, tab: str = "") -> str:
    return reverse(f"admin:{NAME}_change", args=[campaign_id]) + (f"?tab={tab}" if tab else "")


def _run_page(row: Any) -> str:
    run = Run.objects.of(row.tenant_id).filter(campaign_id=row.id).order_by("-id").values_list("id", flat=True).first()
    return reverse("admin:campaigns_run_change", args=[run]) if run else ""


def _prepare(rows: list[Any]) -> None:
    """What the cells say, asked for the whole page at once."""
    names: dict[Any, set[str]] = {}
    for row in rows:
        names.setdefault(row.tenant_id, set()).update(named_in(row.audience or {}))
    known = {
        tenant_id: {name: one.name for name, one in stored.by_names(tenant_id, wanted).items()}
        for tenant_id, wanted in names.items()
        if wanted
    }
    runs = [row.run_id for row in rows if row.run_id]
    done, came_to = progress.shares(runs), results.summary_of(runs)
    for row in rows:
        row.segment_names = known.get(row.tenant_id, {})
        row.share, row.came_to = done.get(row.run_id), came_to.get(row.run_id)


def _names(row: Any) -> dict[str, str]:
    found: dict[str, str] = getattr(row, "segment_names", {})
    return found
