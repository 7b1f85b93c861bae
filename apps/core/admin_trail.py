"""What is changed in the admin goes into the audit log, by one road: every ModelAdmin is Recorded. Who keeps it says so by `kept_by`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db.models import BinaryField, Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    _Base = ModelAdmin[Any]
else:
    _Base = object

DONE = "notifier.recorded"
_DIFFERENCE = "notifier.difference"
_NOTHING: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {})


@dataclass(frozen=True, slots=True)
class Deed:
    """`kind`: the model's label. `tenant_id`: None for what belongs to no tenant. `said`: in words, where there are some."""

    request: HttpRequest
    action: str
    kind: str
    object_id: str
    label: str
    tenant_id: Any
    said: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Keeper:
    """`history`: of one object, newest first, as the page shows it."""

    write: Callable[[Deed], None]
    history: Callable[[str, str], list[Any]]


_keepers: list[Keeper] = []


def kept_by(write: Callable[[Deed], None], history: Callable[[str, str], list[Any]]) -> None:
    _keepers[:] = [Keeper(write, history)]


def write(deed: Deed) -> None:
    deed.request.META[DONE] = True
    for keeper in _keepers:
        keeper.write(deed)


class Recorded(_Base):
    """For a ModelAdmin: Django's own log is not written; the page of an object's history reads the audit log."""

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        request.META[_DIFFERENCE] = _of_form(form, add)
        return super().construct_change_message(request, form, formsets, add)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._write(request, obj, "add", "", request.META.pop(_DIFFERENCE, _NOTHING))

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """`message`: a sentence, of a button; or what Django made of a form."""
        difference = request.META.pop(_DIFFERENCE, _NOTHING)
        said = message if isinstance(message, str) else ""
        if said or difference != _NOTHING:
            self._write(request, obj, _verb(request, self.opts), said, difference)
        request.META[DONE] = True

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            self._write(request, obj, "delete", "", (_of_row(obj), {}))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        obj = self.get_object(request, object_id)
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined, no-any-return]
        if not self.has_view_or_change_permission(request, obj):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": f"History of {obj}",
            "opts": self.opts,
            "original": obj,
            "entries": [entry for keeper in _keepers for entry in keeper.history(self.opts.label_lower, str(obj.pk))],
        }
        return TemplateResponse(request, "admin/history.html", context | (extra_context or {}))

    def _write(self, request: HttpRequest, obj: Any, action: str, said: str, difference: Any) -> None:
        before, after = difference
        tenant_id = tenant_of(obj, self.path_to_tenant())  # type: ignore[attr-defined]
        write(Deed(request, action, self.opts.label_lower, str(obj.pk), str(obj), tenant_id, said, before, after))


def tenant_of(obj: Any, path: str) -> Any:
    """By the path that a query would go; None for what belongs to no tenant."""
    for step in path.split("__") if path else ():
        obj = getattr(obj, step, None)
    return obj if path else None


def _verb(request: HttpRequest, opts: Any) -> str:
    """`rotate` of the page `tenants_apikey_rotate`; `change` of a row's own page, and of a list with fields."""
    name = getattr(request.resolver_match, "url_name", None) or ""
    verb = name.removeprefix(f"{opts.app_label}_{opts.model_name}_")
    return "change" if verb in ("", "changelist") else verb


def _of_form(form: Any, is_new: bool) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    said = getattr(form, "cleaned_data", {})
    after = {name: _plain(said.get(name)) for name in (said if is_new else form.changed_data)}
    before = {} if is_new else {name: _plain(form.get_initial_for_field(form.fields[name], name)) for name in after}
    return before, after


def _of_row(obj: Model) -> Mapping[str, Any]:
    fields = (field for field in obj._meta.concrete_fields if not isinstance(field, BinaryField))
    return {field.attname: getattr(obj, field.attname) for field in fields if not field.primary_key}


def _plain(value: Any) -> Any:
    return value.pk if isinstance(value, Model) else value
