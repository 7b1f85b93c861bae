"""Pages of the admin that several apps share: each app puts its own panels there, so that none needs to know the others.

`home`: the index; its subject is None. `recipient`: a person's page; its subject is the recipient's id.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from apps.core.tenant_scope import looking, view_of

Place = Literal["home", "recipient"]
Builder = Callable[[HttpRequest, UUID | None], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class _Panel:
    order: int
    template: str
    permission: str
    build: Builder


_panels: dict[Place, list[_Panel]] = {"home": [], "recipient": []}


def panel(place: Place, *, order: int, template: str, permission: str = "") -> Callable[[Builder], Builder]:
    """Decorates a function that returns what `template` shows, or None to show nothing. `permission`: who may see it."""

    def register(build: Builder) -> Builder:
        _panels[place].append(_Panel(order, template, permission, build))
        return build

    return register


def panels(place: Place, request: HttpRequest, subject: UUID | None = None) -> list[SafeString]:
    """The panels of a page, rendered, in order."""
    rendered = []
    for one in sorted(_panels[place], key=lambda one: one.order):
        if not one.permission or request.user.has_perm(one.permission):
            with looking(view_of(request.user, *filter(None, [one.permission]))):
                found = one.build(request, subject)
                if found is not None:
                    rendered.append(render_to_string(one.template, dict(found), request=request))
    return rendered


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """UNFOLD["DASHBOARD_CALLBACK"]."""
    return context | {"title": "Home", "panels": panels("home", request)}
