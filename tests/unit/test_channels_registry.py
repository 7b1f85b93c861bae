"""Discovery: the package, entry points, and what it refuses."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from django.core.exceptions import ImproperlyConfigured

from apps.channels import registry
from apps.channels.base import Provider
from apps.channels.providers.smtp import SmtpProvider
from apps.core.enums import Channel


class Pigeon(Provider):
    name = "pigeon"
    channels = frozenset({Channel.SMS})


@pytest.fixture(autouse=True)
def _undiscovered() -> Iterator[None]:
    registry._places.cache_clear()
    registry._made.clear()
    yield
    registry._places.cache_clear()
    registry._made.clear()


def _entry_points(monkeypatch: pytest.MonkeyPatch, *values: object) -> None:
    points = [SimpleNamespace(name="pigeon", load=lambda value=value: value) for value in values]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == "notifier.providers" else [])


def test_it_finds_the_built_in_ones() -> None:
    assert {"sandbox", "smtp"} <= set(registry.providers())
    assert isinstance(registry.provider("smtp"), SmtpProvider)


def test_it_says_so_when_there_is_none_of_that_name() -> None:
    with pytest.raises(LookupError, match="no provider called owl"):
        registry.provider("owl")


def test_it_finds_those_of_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    _entry_points(monkeypatch, Pigeon)
    assert isinstance(registry.provider("pigeon"), Pigeon)


def test_it_imports_none_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "import_module", lambda name: pytest.fail(f"{name} was imported"))
    assert {"sandbox", "smtp"} <= registry.names()


def test_it_refuses_two_of_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    _entry_points(monkeypatch, Pigeon, Pigeon)
    with pytest.raises(ImproperlyConfigured, match="Two providers are called pigeon"):
        registry.providers()


def test_it_refuses_what_is_no_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    _entry_points(monkeypatch, dict)
    with pytest.raises(ImproperlyConfigured, match="not a provider"):
        registry.providers()
