"""A worker's database connections outlive its tasks: a new one knows no table and no statement."""

import pytest
from celery.fixups import django as fixups
from django.db import connections

from notifier.celery import app


class Kept:
    def close(self) -> None:
        raise AssertionError("closed")


def test_celery_closes_no_connection_between_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "all", lambda initialized_only=False: [Kept()])
    fixup = fixups.DjangoWorkerFixup(app)  # type: ignore[attr-defined]
    for _ in range(3):
        fixup.close_database()
