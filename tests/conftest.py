"""For every test: nothing that an earlier test left in this process's caches, and nothing in the tables."""

import gc
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import override_settings

from apps.channels import health
from apps.channels import selectors as channels
from apps.events import selectors as events
from apps.preferences import choosing
from apps.tenants import selectors as tenants
from tests import migrated
from tests.embedded import WORKER
from tests.emptying import _quick_flush as _quick_flush


def pytest_collection_finish() -> None:
    """What is loaded by now stays: nobody need look whether it is garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    if WORKER and (name := migrated.found()):
        settings.DATABASES["default"]["TEST"]["TEMPLATE"] = name


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    for module in (channels, choosing, events, health, tenants):
        module.forget_cached()


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """A proper hash takes 0.4 s. The processes of the flows make proper ones."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield
