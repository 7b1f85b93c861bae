"""One row of every model that has a page, for a tenant, made from the model's own fields: a page that is new tomorrow has one, too."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

import notifier.urls  # noqa: F401  (registers every page)
from apps.audience.models import Recipient
from apps.core import clock, ids
from apps.core.admin_tenants import path_to_tenant
from apps.core.types import Tenant
from apps.ledger.models import Notification
from apps.tenants.memberships import join
from apps.tenants.models import Membership
from apps.tenants.roles import Role

# what no rule of a column tells: fields by model
_SPECIAL: Mapping[str, Mapping[str, Any]] = {
    "channels.provideraccount": {"provider": "smtp", "is_on": False},
    "events.eventtype": {"category": "critical", "critical_asked_by": "operator otto"},
    "ledger.delivery": {"status": "delivered"},
    "ledger.indoubt": {"status": "unknown", "reason": "in_doubt"},
    "webhooks.webhookendpoint": {"is_on": True, "events": ["message.sent"]},
    "schedules.schedule": {"status": "active", "zone": "UTC"},
    "audience.segment": {"rules": {"everyone": True}},
    "audience.recipient": {"locale": "en", "timezone": "UTC"},
}
_BY_NAME: Mapping[str, Any] = {
    "locale": "en",
    "zone": "UTC",
    "timezone": "UTC",
    "channel": "email",
    "category": "marketing",
    "mode": "test",
    "reason": "",
    "bypassed": "",
    "lane": "marketing",
}


_NAMED: Mapping[str, Any] = {"recipient_id": Recipient, "notification_id": Notification}


class Planter:
    """`marker` stands in every text of the rows; `rows`: model -> its row."""

    def __init__(self, tenant: Tenant, marker: str) -> None:
        self.tenant, self.marker = tenant, marker
        self.rows: dict[type[models.Model], Any] = {}

    def row(self, model: type[models.Model]) -> Any:
        if model._meta.label_lower == "tenants.tenant":
            return model._default_manager.get(pk=self.tenant.id)
        if model not in self.rows:
            values = {}
            for field in model._meta.concrete_fields:
                self._fill(model, field, values)
            made = model(**values)
            model._default_manager.bulk_create([made])
            self.rows[model] = made
        return self.rows[model]

    def _fill(self, model: type[models.Model], field: Any, values: dict[str, Any]) -> None:
        special = _SPECIAL.get(model._meta.label_lower, {})
        if field.name in special:
            values[field.name] = special[field.name]
        elif field.attname == "tenant_id":
            values["tenant_id"] = self.tenant.id
        elif isinstance(field, models.ForeignKey):
            if field.remote_field.model in (User, Group):
                values[field.name] = self._staff(field.remote_field.model)
            elif not field.null and field.remote_field.model is not model:
                values[field.name] = self.row(field.remote_field.model)
        elif isinstance(field, models.AutoField):
            return
        elif not self._is_settled(field):
            values[field.name] = self._value(field)

    def _staff(self, model: Any) -> Any:
        """People and groups are the installation's: nobody's marker."""
        found, _ = model.objects.get_or_create(**{"username" if model is User else "name": "somebody"})
        return found

    def _is_settled(self, field: Any) -> bool:
        is_text = isinstance(field, models.CharField | models.TextField) and not field.choices and field.editable
        return (field.null or field.has_default()) and not (is_text and field.name not in _BY_NAME and not field.null)

    def _value(self, field: Any) -> Any:
        known = [value for value, _ in field.flatchoices if value != ""] if field.choices else []
        if (
            field.name in _BY_NAME
            and isinstance(field, models.CharField)
            and (not known or _BY_NAME[field.name] in known)
        ):
            return _BY_NAME[field.name]
        if known:
            return known[0]
        match field:
            case models.SlugField() | models.CharField():
                text = f"{self.marker}-{field.name.replace('_', '-')}"
                return text if field.max_length is None or field.max_length >= len(text) else text[: field.max_length]
            case models.TextField():
                return self.marker
            case models.UUIDField():
                return self.row(_NAMED[field.name]).pk if field.name in _NAMED else ids.new()
            case models.BooleanField():
                return False
            case models.IntegerField() | models.FloatField() | models.DecimalField():
                return 1
            case models.DateTimeField():
                return clock.now()
            case models.DateField():
                return date(2026, 11, 21)
            case models.BinaryField():
                return self.marker.encode()
            case ArrayField():
                return []
            case _:
                return {}


def pages() -> dict[str, tuple[Any, type[models.Model]]]:
    """By label: the ModelAdmin of every model with rows of a tenant, and the model."""
    known = admin.site._registry.items()
    return {model._meta.label_lower: (page, model) for model, page in known if path_to_tenant(model)}


def addresses(patterns: Any = None, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every address of the admin, as it is written in the urls."""
    for pattern in patterns if patterns is not None else get_resolver().url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, route)
        elif route.startswith("admin/"):
            yield route, pattern


def everything_in(tenant: Tenant, name: str = "vera") -> Client:
    """Somebody of the staff with every permission there is, in this tenant alone."""
    group, _ = Group.objects.get_or_create(name="may everything")
    group.permissions.set(Permission.objects.all())
    user = User.objects.create(username=name, is_staff=True)
    Membership.objects.create(user=user, tenant_id=tenant.id, role=group)
    return signed_in(user)


def staff(name: str, **roles: tuple[Tenant, ...]) -> Client:
    """`staff("vera", marketer=(acme,), support=(beta,))`."""
    user = User.objects.create(username=name, is_staff=True)
    for role, tenants in roles.items():
        for tenant in tenants:
            join(user_id=user.pk, tenant=tenant, role=Role(role))
    return signed_in(user)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def snapshot(planted: Planter) -> dict[str, list[tuple[Any, ...]]]:
    """Every column of every row of a tenant that was planted."""
    found = {}
    for model in planted.rows:
        rows = model._default_manager.filter(pk=planted.rows[model].pk)
        found[model._meta.label] = [tuple(map(_plain, row)) for row in rows.values_list()]
    return found


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
