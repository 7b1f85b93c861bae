"""Refuses to start with an API view that does not say which scope its methods need."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.core.checks import CheckMessage, Error
from django.urls import URLPattern, URLResolver, get_resolver

from apps.core.enums import Scope
from apps.tenants.permissions import METHODS, HasScope


def views_name_their_scopes(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    return [message for view in _guarded(get_resolver().url_patterns) for message in _objections(view)]


def _guarded(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[Any]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _guarded(pattern.url_patterns)
        elif HasScope in getattr(view := getattr(pattern.callback, "cls", None), "permission_classes", ()):
            yield view


def _objections(view: Any) -> Iterator[CheckMessage]:
    scopes = getattr(view, "scopes", {})
    handled = {method for method in METHODS if hasattr(view, method.lower())}
    for method in sorted(handled - scopes.keys()):
        yield Error(
            f"{view.__qualname__} answers {method} without naming a scope for it.",
            hint=f'Add `scopes = {{"{method}": Scope.X}}` to the view. Until then every such request is refused.',
            obj=view,
            id="tenants.E001",
        )
    for method, scope in scopes.items():
        if method not in handled or not isinstance(scope, Scope):
            yield Error(
                f"{view.__qualname__}.scopes has {method!r}: {scope!r}.",
                hint="Its keys are methods that the view answers, its values members of core.enums.Scope.",
                obj=view,
                id="tenants.E002",
            )
