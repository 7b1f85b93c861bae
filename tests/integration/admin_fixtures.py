"""Acme, and Mira who may do everything, as fixtures."""

import pytest
from django.test import Client

from apps.core.types import Tenant
from tests.integration import admin_cast as cast


@pytest.fixture
def acme() -> Tenant:
    return cast.acme()


@pytest.fixture
def mira() -> Client:
    return cast.mira()
