"""How a claim finds its work, as PostgreSQL plans it: on its indexes, however much waits beside it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from apps.core import ids
from apps.core.enums import Category
from apps.ledger import work
from tests.integration.dispatch_cast import LEASE, tenant
from tests.integration.test_ledger_claiming import QUEUE, waiting

pytestmark = pytest.mark.django_db
LANE = Category.TRANSACTIONAL


def plan(*, is_known: bool = True) -> tuple[set[str], int]:
    """The indexes of every table access that ran ("Seq Scan" where there was none), and the pages it took. Planned twice: the first one
    tidies its index. `is_known`: there are statistics."""
    sql = work.of_lane(work._CLAIM, LANE)
    asked = {"queue": QUEUE, "lane": LANE.value, "limit": 20, "lease": LEASE, "lease_id": ids.new()}
    whose = {"most": 20, "left": 10, "left_for": LEASE, "tenants": [], "weights": []}
    return explained(sql, {**asked, **whose}, is_known=is_known)


def explained(sql: str, parameters: dict[str, Any], *, is_known: bool) -> tuple[set[str], int]:
    with connection.cursor() as cursor:
        if is_known:
            cursor.execute("ANALYZE ledger_work_item")
        else:
            cursor.execute(
                """SELECT pg_clear_attribute_stats('public', relname, attname, false)
                FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE attrelid = %s::regclass AND attnum > 0""",
                [f"ledger_work_item_{LANE.value}"],
            )
        cursor.execute("SET LOCAL jit = off")
        for _ in range(2):
            cursor.execute("SAVEPOINT here")
            cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + sql, parameters)
            root = json.loads(json.dumps(cursor.fetchone()[0]))[0]["Plan"]
            cursor.execute("ROLLBACK TO SAVEPOINT here")
    return set(accesses(root)), root["Shared Hit Blocks"] + root["Shared Read Blocks"]


def accesses(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"].endswith("Scan") and node["Actual Loops"]:
        if "Index Name" in node:
            yield node["Index Name"]
        elif node["Node Type"] == "Seq Scan":
            yield node["Node Type"]
    for below in node.get("Plans", []):
        yield from accesses(below)


CLAIM_INDEX = "ledger_work_item_transactiona_queue_tenant_id_priority_due__idx"
ORDER_INDEX = "ledger_work_item_transactiona_queue_ordering_key_order_at_n_idx"
BY_ID = "ledger_work_item_transactional_pkey"


@pytest.mark.parametrize("rows", ["another_tenants", "planned"])
def test_a_claim_stays_on_its_index_beside_a_hundred_thousand(rows: str) -> None:
    if rows == "another_tenants":
        waiting(100_000, slug="noisy", due_in=-600)
    else:
        waiting(100_000, due_in=60)
    waiting(20)
    used, pages = plan()
    assert used == {CLAIM_INDEX, BY_ID}
    assert pages < 1_000


def test_a_claim_reads_no_more_than_it_takes_where_nothing_is_known_of_the_table() -> None:
    waiting(100_000)
    used, pages = plan(is_known=False)
    assert used == {CLAIM_INDEX, BY_ID}
    assert pages < 1_000


def test_finding_the_first_of_an_order_stays_on_its_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO ledger_work_item (id, lane, queue, kind, tenant_id, notification_id, ordering_key, order_at)
            SELECT uuidv7(), 'transactional', %s, 'route', %s, uuidv7(), 'a', now() + n * interval '1 ms'
            FROM generate_series(1, 3000) n""",
            [QUEUE, tenant()],
        )
    waiting(3_000, queue="route.marketing")
    used, _ = plan()
    assert {CLAIM_INDEX, ORDER_INDEX} <= used
