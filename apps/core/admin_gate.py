"""The gate before every page of the admin: it decides whose rows the page may show, before the page's own code runs.

1. Pages of one row (`object_id` in their address): only of a tenant where the person may look at such rows; else 404, as if it were
   not there. From then on that tenant is all there is: permissions count as the person's roles there grant them.
2. Pages of one tenant (`tenant_id` in their address): the same.
3. Other pages of a model: the tenants where the person may look at such rows.
4. All other pages: the tenants of which the person is a member.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast
from urllib.parse import unquote

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.messages import WARNING
from django.core.exceptions import ValidationError
from django.db.models import UUIDField
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve

from apps.core import ids
from apps.core.admin_trail import DONE, Deed, write
from apps.core.tenant_scope import View, looking, streamed, view_of

ADMIN = "/admin/"
ROW, TENANT = "object_id", "tenant_id"


class AdminGate:
    """Needs `request.user`: comes after it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(ADMIN) or not request.user.is_staff:
            return self.get_response(request)
        view = _view(request)
        with looking(view):
            answer = self.get_response(request)
            _record_what_nobody_recorded(request, answer)
        if isinstance(answer, StreamingHttpResponse) and not answer.is_async:
            answer.streaming_content = streamed(view, cast(Any, answer.streaming_content))
        return answer


def _record_what_nobody_recorded(request: HttpRequest, answer: HttpResponseBase) -> None:
    """Whatever was done by a form of the admin and led on to another page: a button of a list, a page of an own making. A refusal that
    its page told by a warning is no deed."""
    if request.method != "POST" or answer.status_code not in (302, 303) or request.META.get(DONE):
        return
    page, told = model_of(request.path_info), getattr(getattr(request, "_messages", None), "_queued_messages", ())
    if page is None or any(message.level >= WARNING for message in told):
        return
    row, chosen = _named(request.path_info, ROW), request.POST.getlist(ACTION_CHECKBOX_NAME)
    action = request.POST.get("action", "") if chosen else request.path_info.rstrip("/").rpartition("/")[2]
    said, label = action.replace("_", " ").replace("-", " ").capitalize(), str(page.opts.verbose_name_plural)
    for tenant_id, keys in _by_tenant(page, request, chosen or ([row] if row else [])).items():
        key = str(keys[0]) if len(keys) == 1 else ""
        words = f"{said}: {len(keys)} rows." if len(keys) > 1 else f"{said}."
        write(Deed(request, action, page.opts.label_lower, key, row or label, tenant_id, words))


def _by_tenant(page: Any, request: HttpRequest, shown: Sequence[str]) -> dict[Any, list[Any]]:
    """What was chosen, as far as it is still there; nothing in particular is of no tenant."""
    found: dict[Any, list[Any]] = {}
    values = [value for value in (_value(page, row) for row in shown) if value is not None]
    if values:
        path = page.path_to_tenant()
        rows = page.get_queryset(request).filter(pk__in=values).values_list("pk", path or "pk")
        for key, tenant_id in rows:
            found.setdefault(tenant_id if path else None, []).append(key)
    return found or {None: []}


def model_of(path: str) -> Any:
    """The ModelAdmin whose page that is, or None."""
    app, model, *_ = (*path.removeprefix(ADMIN).split("/"), "")
    found = (
        known
        for known in admin.site._registry.values()
        if (known.opts.app_label, known.opts.model_name) == (app, model)
    )
    return next(found, None)


def _view(request: HttpRequest) -> View | None:
    """Raises Http404."""
    if request.user.is_superuser:
        return None
    model_admin = model_of(request.path_info)
    if model_admin is None:
        return view_of(request.user)
    view = view_of(request.user, *model_admin.seen_with())
    row, tenant_id = _named(request.path_info, ROW), ids.find(_named(request.path_info, TENANT) or "")
    if tenant_id is not None and view is not None:
        if tenant_id not in view.tenants:
            raise Http404
        return View(frozenset([tenant_id]))
    if row is None or view is None:
        return view
    with looking(view):
        return _of_row(model_admin, request, row)


def _named(path: str, part: str) -> str | None:
    try:
        found = resolve(path).kwargs.get(part)
    except Resolver404:
        return None
    return None if found is None else str(found)


def _of_row(model_admin: Any, request: HttpRequest, row: str) -> View | None:
    path, value = model_admin.path_to_tenant(), _value(model_admin, row)
    rows = model_admin.get_queryset(request).values_list(path or "pk")
    found = None if value is None else rows.filter(pk=value).first()
    if found is None:
        raise Http404
    return view_of(request.user) if not path or found[0] is None else View(frozenset(found))


def _value(model_admin: Any, row: str) -> Any:
    key = model_admin.opts.pk
    try:
        return ids.find(row) if isinstance(key, UUIDField) else key.to_python(unquote(row))
    except ValidationError:
        return None
