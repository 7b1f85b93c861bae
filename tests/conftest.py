"""For every test: nothing that an earlier test left in this process's caches."""

import pytest

from apps.channels import health
from apps.channels import selectors as channels
from apps.events import selectors as events
from apps.preferences import choosing
from apps.tenants import selectors as tenants


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    for module in (channels, choosing, events, health, tenants):
        module.forget_cached()
