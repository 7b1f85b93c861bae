"""Which providers there are: every module of apps/channels/providers, and every entry point of the group `notifier.providers`."""

import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from django.core.exceptions import ImproperlyConfigured

from apps.channels import providers as package
from apps.channels.base import Provider

GROUP = "notifier.providers"


@cache
def providers() -> Mapping[str, Provider]:
    """All providers by name. Raises ImproperlyConfigured when two share a name or one is not a provider."""
    found: dict[str, Provider] = {}
    for kind in _kinds():
        if kind.name in found:
            raise ImproperlyConfigured(f"Two providers are called {kind.name}.")
        found[kind.name] = kind()
    return found


def provider(name: str) -> Provider:
    """Raises LookupError when there is none of that name."""
    try:
        return providers()[name]
    except KeyError:
        raise LookupError(f"There is no provider called {name}.") from None


def _kinds() -> Iterator[type[Provider]]:
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        loaded = import_module(f"{package.__name__}.{module.name}")
        yield from (value for value in vars(loaded).values() if _is_provider(value, loaded.__name__))
    for point in entry_points(group=GROUP):
        value = point.load()
        if not _is_provider(value, None):
            raise ImproperlyConfigured(f"The entry point {point.name} of {GROUP} is not a provider.")
        yield value


def _is_provider(value: object, module: str | None) -> bool:
    return (
        isinstance(value, type)
        and issubclass(value, Provider)
        and hasattr(value, "name")
        and (module is None or value.__module__ == module)
    )
