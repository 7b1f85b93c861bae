"""What people do with a campaign that is being written: each by a POST, each asked for once more where it cannot be taken back."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, reverse
from msgspec import convert

from apps.campaigns import composing
from apps.campaigns.definitions import LETTERS, MOST_VARIANTS, CampaignValues
from apps.campaigns.models import Campaign
from apps.campaigns.owning import make_own_template
from apps.core import clock
from apps.core.admin_asking import Question, ask
from apps.core.admin_bases import action, operator
from apps.core.enums import Channel
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.tenants.selectors import tenant_by_id

LIST = "admin:campaigns_campaign_changelist"
PAGE = "admin:campaigns_campaign_change"


class Deeds:
    """For the ModelAdmin of campaigns."""

    def deed_urls(self) -> list[URLPattern]:
        return self.urls_of(  # type: ignore[attr-defined, no-any-return]
            ("duplicate", self.duplicate_view), ("put-away", self.put_away_view), ("reopen", self.reopen_view)
        )

    def do(self, request: HttpRequest, composer: Any, what: str) -> HttpResponse:
        """A button of a tab, whose part is saved already."""
        name, _, place = what.partition(":")
        number = int(place) if place.isascii() and place.isdigit() and len(place) < 3 else -1
        variants = [
            {"name": one.name, "template_key": one.template_key, "weight": one.weight} for one in composer.variants
        ]
        said = ""
        try:
            if name == "add" and len(variants) < MOST_VARIANTS:
                variants.append({"name": _free_name(variants), "template_key": "", "weight": 1})
                said = "A variant was added."
            elif name == "remove" and 0 <= number < len(variants) > 1:
                said = f"Variant {variants.pop(number)['name']} was removed."
            elif name in ("own", "copy") and 0 <= number < len(variants):
                if not request.user.has_perm("message_templates.add_template"):
                    raise PermissionDenied
                chosen = variants[number]
                chosen["template_key"] = make_own_template(
                    tenant=composer.tenant,
                    campaign_id=composer.row.id,
                    name=f"{composer.row.name}, {chosen['name']}",
                    channels=[Channel(one) for one in composer.row.channels],
                    copy_of=str(chosen["template_key"]) if name == "copy" else "",
                )
                said = "It has a text of its own now: write it, and publish it. Nobody else uses it."
            if said:
                self._save_variants(request, composer, variants)
                messages.success(request, said)
        except Problem as problem:
            messages.error(request, problem.detail)
        return HttpResponseRedirect(_page(composer.row.id, composer.tab.name))

    @action(description="Duplicate", url_path="duplicate-row", icon="content_copy", permissions=("add",))
    def duplicate_row(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        return self.duplicate_view(request, object_id)

    @action(description="Archive", url_path="archive-row", icon="archive", permissions=("change",))
    def put_away_row(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        return self.put_away_view(request, object_id)

    def duplicate_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        row = self._row(request, object_id)
        if not self.has_add_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        if request.method != "POST":
            question = Question(
                title=f"Duplicate {row.name}",
                sentence="A new draft begins with the same audience, content, schedule and limits. Nothing is sent.",
                submit="Duplicate it",
                back=reverse(LIST),
            )
            return ask(request, question, model=Campaign)
        copy = composing.duplicate_campaign(tenant=_tenant(row), campaign_id=row.id, by=operator(request))
        self.log_addition(request, Campaign.objects.of(row.tenant_id).get(id=copy), "")  # type: ignore[attr-defined]
        messages.success(request, "This is the copy.")
        return HttpResponseRedirect(_page(copy))

    def put_away_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        row = self._row(request, object_id)
        self._check_change(request, row)
        is_away = row.archived_at is not None
        if request.method != "POST":
            question = Question(
                title=f"{'Bring back' if is_away else 'Archive'} {row.name}",
                sentence="It is shown in the list again."
                if is_away
                else "It leaves the list. Nothing is lost: the filter “archive” shows it, with its results.",
                submit="Bring it back" if is_away else "Archive it",
                back=reverse(LIST),
            )
            return ask(request, question, model=Campaign)
        done = "It is back in the list." if is_away else "It is archived."

        def put_away() -> None:
            composing.archive_campaign(
                tenant=_tenant(row), campaign_id=row.id, now=clock.now(), is_archived=not is_away
            )

        self._try(request, row, put_away, done)
        return HttpResponseRedirect(reverse(LIST))

    def reopen_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Back to a draft."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self._row(request, object_id)
        self._check_change(request, row)

        def reopen() -> None:
            composing.reopen_campaign(tenant=_tenant(row), campaign_id=row.id, by=operator(request))

        self._try(request, row, reopen, "It is a draft again. What was asked for or approved is void.")
        return HttpResponseRedirect(_page(row.id, request.POST.get("tab", "")))

    def _save_variants(self, request: HttpRequest, composer: Any, variants: list[dict[str, Any]]) -> None:
        composing.save_part(
            tenant=composer.tenant,
            campaign_id=composer.row.id,
            values=convert({"variants": variants}, CampaignValues),
            version=composer.row.version,
            by=operator(request),
            now=clock.now(),
        )
        self.log_change(request, composer.row, "Changed the variants.")  # type: ignore[attr-defined]

    def _try(self, request: HttpRequest, row: Any, do: Callable[[], object], done: str) -> bool:
        try:
            do()
        except Problem as problem:
            messages.error(request, problem.detail)
            return False
        self.log_change(request, row, done)  # type: ignore[attr-defined]
        messages.success(request, done)
        return True

    def _row(self, request: HttpRequest, object_id: Any) -> Any:
        return self.seen(request, object_id)  # type: ignore[attr-defined]

    def _check_change(self, request: HttpRequest, row: Any) -> None:
        if not self.has_change_permission(request, row):  # type: ignore[attr-defined]
            raise PermissionDenied


def _free_name(variants: list[dict[str, Any]]) -> str:
    taken = {str(one["name"]).casefold() for one in variants}
    return next((letter for letter in LETTERS if letter.casefold() not in taken), f"Variant {len(variants) + 1}")


def _page(campaign_id: Any, tab: str = "") -> str:
    return reverse(PAGE, args=[campaign_id]) + (f"?tab={tab}" if tab else "")


def _tenant(row: Any) -> Tenant:
    found = tenant_by_id(row.tenant_id)
    assert found is not None
    return found
