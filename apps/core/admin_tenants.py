"""Whose rows a ModelAdmin shows, offers and changes. The base of all pages has it, so that none needs to think of it.

Whatever a page does to find its rows, `get_queryset` gives only those of tenants where the person may look at such rows; choices of
other rows are narrowed the same way; an action on many rows reaches those that the person may do it to; and a form saves nothing into a
tenant where the person may not.
"""

from collections.abc import Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from apps.core.admin_trail import tenant_of
from apps.core.tenant_scope import view_of

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    _Base = ModelAdmin[Any]
else:
    _Base = object


def path_to_tenant(model: type[Model]) -> str:
    """From a row to its tenant's id, as the model says or by its column; "" for a model that belongs to no tenant."""
    has_column = "tenant_id" in {field.attname for field in model._meta.concrete_fields}
    return getattr(model, "path_to_tenant", "tenant_id" if has_column else "")


class OfTenants(_Base):
    """For a ModelAdmin. `seen_by`: permissions any of which lets a person see the rows; by default to view or to change them."""

    seen_by: Sequence[str] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "get_queryset" in cls.__dict__:
            cls.get_queryset = _narrowed(cls.get_queryset)  # type: ignore[method-assign]

    def seen_with(self) -> Sequence[str]:
        names = (f"{self.opts.app_label}.{verb}_{self.opts.model_name}" for verb in ("view", "change"))
        return tuple(self.seen_by or names)

    def path_to_tenant(self) -> str:
        return path_to_tenant(self.model)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self._seen(request, super().get_queryset(request))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return _offered(super().formfield_for_foreignkey(db_field, request, **kwargs), self, request)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return _offered(super().formfield_for_manytomany(db_field, request, **kwargs), self, request)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        obj = super().save_form(request, form, change)
        view = view_of(request.user, self._named("change" if change else "add"))
        if view is not None and not view.covers(tenant_of(obj, self.path_to_tenant())):
            raise PermissionDenied
        return obj

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any) -> Any:
        """Permissions may differ between the tenants of a list."""
        chosen = self.get_actions(request).get(request.POST.get("action", ""))
        for needed in getattr(chosen[0], "allowed_permissions", ()) if chosen else ():
            view = view_of(request.user, *self.permissions_of(needed))
            queryset = queryset if view is None else queryset.filter(view.rows(self.path_to_tenant()))
        return super().response_action(request, queryset, *args, **kwargs)

    def permissions_of(self, needed: str) -> Sequence[str]:
        """Of what an action's `permissions` names; a page that has an own word (`operate`) says what it stands for."""
        return (needed if "." in needed else self._named(needed),)

    def _named(self, verb: str) -> str:
        return f"{self.opts.app_label}.{verb}_{self.opts.model_name}"

    def _seen(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        view = view_of(request.user, *self.seen_with())
        return rows if view is None else rows.filter(view.rows(self.path_to_tenant()))


def _narrowed(get_queryset: Any) -> Any:
    @wraps(get_queryset)
    def narrowed(self: OfTenants, request: HttpRequest) -> QuerySet[Any]:
        return self._seen(request, get_queryset(self, request))

    return narrowed


def _offered(field: Any, page: OfTenants, request: HttpRequest) -> Any:
    """The rows that a choice offers: of the tenants where the person may change this page's rows, or add some."""
    rows = getattr(field, "queryset", None)
    if rows is None:
        return field
    path = path_to_tenant(rows.model)
    view = view_of(request.user, page._named("add"), page._named("change")) if path else None
    if view is not None:
        field.queryset = rows.filter(view.rows(path))
    return field
