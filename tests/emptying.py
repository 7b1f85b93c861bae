"""After a test that commits: rows go from the tables that have any.

Django would empty each of more than a hundred tables and make permissions and roles anew, which takes longer than most of these tests.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection, transaction
from django.test import TransactionTestCase

MADE_BY_MIGRATE = {"django_content_type", "auth_permission", "auth_group", "auth_group_permissions"}


@pytest.fixture(scope="session", autouse=True)
def _quick_flush() -> Iterator[None]:
    with patch.object(TransactionTestCase, "_fixture_teardown", _empty):
        yield


def _empty(_: Any) -> None:
    """Without triggers: some tables are for adding only, and nothing that refers to a row outlives it here."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"(SELECT '{name}' FROM {name} LIMIT 1)" for name in _tables()))
        full = [name for (name,) in cursor.fetchall()]
        if full:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(";".join(f"DELETE FROM {name}" for name in full))


@cache
def _tables() -> list[str]:
    return sorted({*connection.introspection.django_table_names(only_existing=True)} - MADE_BY_MIGRATE)
