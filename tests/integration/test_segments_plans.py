"""How many people are found without a look at their addresses, and under which settings they are counted."""

from collections import Counter
from random import Random
from typing import Any

import pytest
from django.db import connection

from apps.audience.models import Recipient
from apps.audience.segments import asking
from apps.audience.segments.asking import ALONE, SETTINGS, TookTooLong, ask, ask_within
from apps.audience.segments.compiling import EVERYBODY, condition_of
from apps.campaigns import funnel as counting
from apps.campaigns.funnel import funnel
from apps.core import clock
from apps.core.enums import Category, Channel
from apps.core.types import Tenant
from tests.integration.admin_cast import acme
from tests.integration.segments_cast import crowd

pytestmark = pytest.mark.django_db
NAMES = ("statement_timeout", *SETTINGS, *ALONE)
HELD = "SELECT " + ", ".join(f"current_setting('{name}')" for name in NAMES)
MARKETING: dict[str, Any] = {"channels": (Channel.EMAIL, Channel.SMS, Channel.IN_APP), "category": Category.MARKETING}


def scans(tenant: Tenant, sql: str, parameters: Any) -> list[str]:
    """Of addresses, in the plan that neither reads a table from its beginning nor looks up one person after the other; as where
    autovacuum comes by, whatever other tests have left in the table and its indexes."""
    crowd(tenant, 200, clock.now(), Random(4))
    with connection.cursor() as cursor:
        cursor.execute("REINDEX TABLE audience_endpoint; ANALYZE audience_endpoint, audience_recipient")
        cursor.execute(
            """SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', 'audience_endpoint',
                'relpages', 1000, 'reltuples', 400::real, 'relallvisible', 1000)"""
        )
        cursor.execute(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_nestloop = off"
        )
    rows = [row for (row,) in ask(f"EXPLAIN {sql}", parameters)]
    return [row.split("(cost")[0].strip(" ->") for row in rows if " audience_endpoint " in row]


@pytest.mark.parametrize("op", ["usable", "exists"])
@pytest.mark.parametrize("value", [True, False])
def test_who_has_an_address_is_told_by_the_index_alone(op: str, value: bool) -> None:
    tenant = acme()
    condition = condition_of(tenant.id, {"field": "address.email", "op": op, "value": value}, clock.now())
    sql = f"SELECT count(*) FROM audience_recipient r WHERE r.tenant_id = %(tenant)s AND {condition.sql}"
    found = scans(tenant, sql, {"tenant": tenant.id, **condition.parameters})
    assert found == ["Index Only Scan using endpoint_in_use on audience_endpoint e"]


def test_the_funnel_reads_rows_of_suppressed_addresses_only() -> None:
    tenant = acme()
    plan = counting._plan(tenant.id, MARKETING["channels"], Category.MARKETING, "", clock.now())
    found = scans(
        tenant, plan.counting("r.tenant_id = %(tenant)s"), {"tenant": tenant.id, "among": None, **plan.parameters}
    )
    assert "Index Only Scan using endpoint_in_use on audience_endpoint e" in found
    assert len(found) == 2


def test_settings_hold_for_one_question_and_what_held_before_comes_back() -> None:
    before = ask(HELD, {})
    ((timeout, *found),) = ask_within(HELD, {}, 1_234)
    assert (timeout, found[: len(SETTINGS)]) == ("1234ms", [*SETTINGS.values()])
    assert ask_within(HELD, {}, 1_234, settings=ALONE) == [("1234ms", *SETTINGS.values(), *ALONE.values())]
    assert found[len(SETTINGS) :] == list(before[0][1 + len(SETTINGS) :]) != [*ALONE.values()]
    with pytest.raises(TookTooLong):
        ask_within("SELECT pg_sleep(5)", {}, 1, settings=ALONE)
    assert ask(HELD, {}) == before


def test_no_worker_reads_all_addresses_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant, alone = acme(), []

    class Looking(asking.Cursor):  # type: ignore[type-arg]
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            if "audience_endpoint" in query:
                alone.append(super().execute("SHOW max_parallel_workers_per_gather").fetchone())
            return super().execute(query, *args, **kwargs)

    monkeypatch.setattr(asking, "Cursor", Looking)
    assert funnel(tenant.id, EVERYBODY, **MARKETING, now=clock.now()).is_exact
    assert alone == [("0",)]


def test_zones_and_languages_are_counted_each_for_itself() -> None:
    tenant = acme()
    crowd(tenant, 80, clock.now(), Random(4))
    found = funnel(tenant.id, EVERYBODY, **MARKETING, now=clock.now())
    rows = Recipient.objects.of(tenant)
    for told, column in ((found.zones, "timezone"), (found.locales, "locale")):
        numbers = Counter(rows.values_list(column, flat=True))
        assert list(told) == sorted(numbers.items(), key=lambda one: (-one[1], one[0]))
        assert len(told) > 3
