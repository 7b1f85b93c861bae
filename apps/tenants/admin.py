"""Tenants, their keys and their guests."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core import clock
from apps.core.admin_asking import Question, ask
from apps.core.admin_bases import TONES, ModelAdmin, action, display, moment
from apps.core.admin_filters import one_of
from apps.core.enums import KeyMode, Scope
from apps.core.tenant_scope import View, looking, view_of
from apps.core.types import Tenant
from apps.tenants import access_admin, models  # noqa: F401  (registers its pages)
from apps.tenants.forms import ApiKeyForm, RotationForm, TenantForm
from apps.tenants.keys import IssuedKey
from apps.tenants.selectors import forget_cached, tenant_by_id
from apps.tenants.services import create_api_key, revoke_api_key, rotate_api_key
from apps.tenants.tenant_filter import TenantColumn, TenantFilter

LIVE = "tenants.manage_live_keys"


@admin.register(models.Tenant)
class TenantAdmin(ModelAdmin):
    """Never deleted here: everything a tenant ever sent hangs on it."""

    form = TenantForm
    list_display = ("name", "slug", "locale", "timezone", "email_from", "rate_per_second", "retention_days")
    search_fields = ("slug", "name")
    ordering = ("slug",)
    fieldsets = (
        (None, {"fields": ("name", "slug", "locale", "timezone", "email_from")}),
        (
            "Limits",
            {"fields": (("rate_per_second", "rate_burst"), ("weight", "retention_days"), "critical_share_most")},
        ),
        ("Tracking", {"fields": ("tracked_categories",)}),
        ("Looks of its people's pages", {"fields": ("brand_color", "logo")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        forget_cached()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(models.ApiKey)
class ApiKeyAdmin(TenantColumn, ModelAdmin):
    """A token is shown on the page that answers its making, and never again. Keys are revoked, not deleted."""

    form = ApiKeyForm
    list_display = ("name", "starts_with", "tenant", "mode_label", "state", "scope_list", "last_used")
    list_filter = (TenantFilter, one_of("mode", KeyMode))
    list_filter_submit = True
    list_select_related = ("tenant",)
    search_fields = ("name", "prefix")
    ordering = ("-id",)
    actions_detail = ("rotate", "revoke")
    _said = ("name", "scopes", "expires_at", "requires_idempotency_key", ("rate_per_second", "rate_burst"))
    _facts = ("tenant", "starts_with", "mode", "state", "created_at", "last_used")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [(None, {"fields": ("tenant", "mode", *self._said)})]
        return [(None, {"fields": self._said}), ("What is fixed", {"fields": self._facts})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self._facts if obj else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        return form if request.user.has_perm(LIVE) else type("TestKeyForm", (form,), {"modes": (KeyMode.TEST,)})

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        """The right to live keys may be had in another tenant than the chosen one."""
        key = super().save_form(request, form, change)
        with looking(View(frozenset({key.tenant_id})) if view_of(request.user) else None):
            if key.mode != KeyMode.TEST and not request.user.has_perm(LIVE):
                raise PermissionDenied
        return key

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = super().has_change_permission(request, obj)
        return may and (not isinstance(obj, models.ApiKey) or obj.mode == KeyMode.TEST or request.user.has_perm(LIVE))

    @display(description="Token")
    def starts_with(self, key: models.ApiKey) -> SafeString:
        return format_html('<code class="n-id">ntf_{}_{}_…</code>', key.mode, key.prefix)

    @display(description="Mode", label=TONES)
    def mode_label(self, key: models.ApiKey) -> str:
        return key.mode

    @display(description="State", label={"active": "success", "revoked": "danger", "expired": "danger"})
    def state(self, key: models.ApiKey) -> str:
        if key.revoked_at:
            return "revoked"
        return "expired" if key.expires_at and key.expires_at <= clock.now() else "active"

    @display(description="Scopes")
    def scope_list(self, key: models.ApiKey) -> str:
        return ", ".join(key.scopes)

    @display(description="Last used")
    def last_used(self, key: models.ApiKey) -> str:
        return moment(key.last_used_at) if key.last_used_at else "never"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            forget_cached()
            return
        issued = create_api_key(
            tenant=_tenant(obj.tenant_id),
            name=obj.name,
            mode=KeyMode(obj.mode),
            scopes=[Scope(scope) for scope in obj.scopes],
            expires_at=obj.expires_at,
            requires_idempotency_key=obj.requires_idempotency_key,
            rate_per_second=obj.rate_per_second,
            rate_burst=obj.rate_burst,
        )
        obj.id, obj.prefix = issued.key_id, issued.prefix
        request.META["notifier.issued_key"] = issued

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One key at a time: the page after it shows the token."""
        hidden = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, hidden | (extra_context or {}))

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self._show_once(request, request.META["notifier.issued_key"], "Your new API key")

    @action(description="Rotate", url_path="rotate", icon="autorenew", permissions=("change",))
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = self._usable(request, object_id)
        form = RotationForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            issued = rotate_api_key(tenant=_tenant(key.tenant_id), key_id=key.id, overlap=form.overlap)
            self.log_change(request, key, "Rotated.")
            return self._show_once(request, issued, f"The new token of {key.name}")
        question = Question(
            title=f"Rotate {key.name}",
            sentence="The key gets a new token, shown once on the next page. Its scopes and its history stay.",
            submit="Make a new token",
            back=_page_of(key.id),
        )
        return ask(request, question, model=self.model, form=form)

    @action(description="Revoke", url_path="revoke", icon="block", permissions=("change",))
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = self._usable(request, object_id)
        if request.method == "POST":
            revoke_api_key(tenant=_tenant(key.tenant_id), key_id=key.id)
            self.log_change(request, key, "Revoked.")
            messages.success(request, f"{key.name} is revoked. Within two seconds nothing accepts it any more.")
            return HttpResponseRedirect(_page_of(key.id))
        question = Question(
            title=f"Revoke {key.name}",
            sentence="Whatever still uses this key is refused from now on. This cannot be undone.",
            submit="Revoke it",
            back=_page_of(key.id),
            is_dangerous=True,
        )
        return ask(request, question, model=self.model)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        key = models.ApiKey.objects.all_tenants().filter(id=object_id, revoked_at=None).first()
        is_usable = key is not None and self.has_change_permission(request, key)
        found: list[Any] = super().get_actions_detail(request, object_id) if is_usable else []  # type: ignore[misc]
        return found

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def _usable(self, request: HttpRequest, object_id: str) -> Any:
        key = get_object_or_404(models.ApiKey.objects.all_tenants(), id=object_id, revoked_at=None)
        if not self.has_change_permission(request, key):
            raise PermissionDenied
        return key

    def _show_once(self, request: HttpRequest, issued: IssuedKey, title: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "token": issued.token,
            "url": settings.PUBLIC_URL,
            "back": _page_of(issued.key_id),
        }
        return TemplateResponse(request, "admin/tenants/issued_key.html", context)


@admin.register(models.Guest)
class GuestAdmin(TenantColumn, ModelAdmin):
    list_display = ("user_id", "tenant", "created_at")
    list_filter = (TenantFilter,)
    list_filter_submit = True
    list_select_related = ("tenant",)
    search_fields = ("user_id",)
    ordering = ("user_id",)
    empty_sentence = "A team key reaches only the people on this list, known by their user_id."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return models.Guest.objects.all_tenants()


def _tenant(tenant_id: Any) -> Tenant:
    found = tenant_by_id(tenant_id)
    assert found is not None
    return found


def _page_of(key_id: Any) -> str:
    return reverse("admin:tenants_apikey_change", args=[key_id])
