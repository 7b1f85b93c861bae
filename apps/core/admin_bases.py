"""What every admin page is built on: unfold's classes, typed, kept to tenants and recorded; rows nobody may change; how ids, times and
statuses are shown."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core import clock, ids
from apps.core.admin_tenants import OfTenants
from apps.core.admin_trail import Recorded

if TYPE_CHECKING:
    from django import forms
    from django.contrib import admin

    ModelForm = forms.ModelForm[Any]
    _ModelAdmin = admin.ModelAdmin[Any]

    def display(
        *, description: str, label: Mapping[str, str] | bool = False, boolean: bool = False
    ) -> Callable[..., Any]:
        """unfold's: `label` shows the value as a badge, in the tone that the mapping names."""

    def action(
        *, description: str, url_path: str, icon: str = "", permissions: Sequence[str] = ()
    ) -> Callable[..., Any]:
        """unfold's: a button on a row's page (`actions_detail`) or above a list (`actions_list`) that opens a page of its own."""

else:
    from django.forms import ModelForm
    from unfold.admin import ModelAdmin as _ModelAdmin
    from unfold.decorators import action, display

__all__ = [
    "TONES",
    "ModelAdmin",
    "ModelForm",
    "ReadOnly",
    "action",
    "ago",
    "display",
    "door",
    "moment",
    "operator",
    "shown",
]


class ModelAdmin(OfTenants, Recorded, _ModelAdmin):
    """The base of every page about rows: shows those of the tenants of whoever looks, and records what is changed."""


TONES: Mapping[str, str] = {
    **dict.fromkeys(("delivered", "live", "on", "read", "opened", "clicked"), "success"),
    **{"well": "success", "slowed": "warning", "recovering": "warning", "in trouble": "danger"},
    **dict.fromkeys(("sent", "sending", "accepted", "team", "merged"), "info"),
    **dict.fromkeys(("held", "unknown", "test", "critical", "throttled", "transient"), "warning"),
    **dict.fromkeys(("failed", "bounced", "dead_letter", "off", "revoked", "parked", "complained"), "danger"),
}


class ReadOnly:
    """Rows that are looked at: neither added, changed nor deleted here, whatever permissions a person has."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def operator(request: HttpRequest) -> str:
    """Who did it, as it stands in the ledger."""
    assert isinstance(request.user, AbstractUser)
    return f"operator {request.user.get_username()}"[:150]


def door(name: str, *args: object, text: object, **query: object) -> SafeString:
    """A link to another page of the admin, by its name (`ledger_notification_change`)."""
    return format_html(
        '<a class="n-link" href="{}">{}</a>', reverse(f"admin:{name}", args=args, query=query or None), text
    )


def shown(prefix: str, value: UUID) -> SafeString:
    """An id, shortened to what tells two apart, whole in its title and when copied."""
    whole = ids.show(prefix, value)
    return format_html('<span class="n-id" title="{}">{}…{}</span>', whole, whole[: len(prefix) + 5], whole[-6:])


def moment(at: datetime | None) -> SafeString | str:
    """UTC, to the second."""
    if at is None:
        return "-"
    return format_html('<time class="n-time" datetime="{}" title="{} UTC">{}</time>', *_said(at))


def _said(at: datetime) -> tuple[str, str, str]:
    is_recent = abs((clock.now() - at).total_seconds()) < 20 * 3600
    return at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S}", f"{at:%H:%M:%S}" if is_recent else f"{at:%d %b %H:%M}"


def ago(seconds: float) -> str:
    """`4 s`, `3 min`, `2 h`, `5 d`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"
