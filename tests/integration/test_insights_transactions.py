"""The doctor on transactions that stay open; whose nobody knows, all are named."""

import time

import psycopg
import pytest
from django.db import connection

from apps.core import clock
from apps.insights.checkups import servers

pytestmark = pytest.mark.django_db


@pytest.fixture
def other() -> psycopg.Connection:
    """A connection to the same database from outside, as an operator has it."""
    given = {**connection.get_connection_params(), "application_name": "report"}
    wanted = ("host", "port", "user", "password", "dbname", "application_name")
    return psycopg.connect(**{name: given[name] for name in wanted if given.get(name)})


def test_it_names_a_transaction_that_stays_open(other: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "OPEN_TOO_LONG", 0.001)
    with other:
        other.execute("SELECT 1")
        pid = other.info.backend_pid
        time.sleep(0.01)
        (found,) = servers.transactions(clock.now())
    assert (found.level, found.about) == ("warn", "transactions")
    assert found.said.startswith("1 open for over 0 s, the oldest for 0 s (report, process ")
    assert f"process {pid}, idle)" in found.said
    assert "pg_terminate_backend" in found.fix


def test_it_says_nothing_of_short_ones(other: psycopg.Connection) -> None:
    with other:
        other.execute("SELECT 1")
        found = list(servers.transactions(clock.now()))
    assert [(one.level, one.said) for one in found] == [("ok", "None is open for 60 s or longer.")]


def test_it_says_nothing_of_a_connection_that_rests(other: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "OPEN_TOO_LONG", 0.0)
    with other:
        other.execute("SELECT 1")
        other.rollback()
        found = list(servers.transactions(clock.now()))
    assert [(one.level, one.said) for one in found] == [("ok", "None is open for 0 s or longer.")]
