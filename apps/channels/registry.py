"""Which providers there are: every module of apps/channels/providers, and every entry point of the group `notifier.providers`.

The module's or the entry point's name is the provider's. A provider is imported when it is first used: its SDK may be large.
"""

import pkgutil
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib import import_module
from importlib.metadata import entry_points

from django.core.exceptions import ImproperlyConfigured

from apps.channels import providers as package
from apps.channels.base import Provider

GROUP = "notifier.providers"
_made: dict[str, Provider] = {}


def provider(name: str) -> Provider:
    """Raises LookupError when there is none of that name, ImproperlyConfigured when what is found is no provider."""
    found = _made.get(name)
    if found is None:
        if name not in _places():
            raise LookupError(f"There is no provider called {name}.")
        found = _made[name] = _checked(name, _places()[name]())
    return found


def names() -> frozenset[str]:
    """Of all providers, imported or not. Raises ImproperlyConfigured when two share a name."""
    return frozenset(_places())


def providers() -> Mapping[str, Provider]:
    """All providers by name, imported now."""
    return {name: provider(name) for name in sorted(_places())}


@cache
def _places() -> Mapping[str, Callable[[], object]]:
    found: dict[str, Callable[[], object]] = {
        module.name: partial(_class_in, module.name) for module in pkgutil.iter_modules(package.__path__)
    }
    for point in entry_points(group=GROUP):
        if point.name in found:
            raise ImproperlyConfigured(f"Two providers are called {point.name}.")
        found[point.name] = point.load
    return found


def _class_in(module: str) -> object:
    values = vars(import_module(f"{package.__name__}.{module}")).values()
    return next((value for value in values if getattr(value, "name", None) == module), None)


def _checked(name: str, kind: object) -> Provider:
    if not (isinstance(kind, type) and issubclass(kind, Provider) and getattr(kind, "name", None) == name):
        raise ImproperlyConfigured(f"{name} of {GROUP} is not a provider of that name.")
    return kind()
