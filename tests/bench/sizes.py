"""What it takes: memory by process, bytes per notification in the ledger, decisions a second."""

from contextlib import suppress
from datetime import UTC, datetime
from time import process_time

import psutil
from django.db import connection

from apps.core import ids
from apps.core.enums import Category, Channel, EndpointKind, KeyMode, Priority
from apps.core.types import Choices, Endpoint, Recipient, Switch
from apps.routing.deciding import decide
from apps.routing.facts import Case, Person, Wish
from tests.bench.results import Result, result
from tests.bench.world import World, family

_TABLES = """
SELECT regexp_replace(c.relname, '_(p?[0-9_]+|default|critical|transactional|social|marketing)$', '') AS name,
    sum(pg_total_relation_size(c.oid))::bigint, sum(pg_indexes_size(c.oid))::bigint
FROM pg_class c WHERE c.relkind = 'r' AND c.relname LIKE 'ledger\\_%' GROUP BY name HAVING sum(pg_total_relation_size(c.oid)) > 1000000
ORDER BY 2 DESC
"""


def ledger_bytes() -> Result:
    """Of finished notifications with two deliveries each, everything included: indexes, free space, idempotency keys."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger_notification")
        (count,) = cursor.fetchone()
        cursor.execute(_TABLES)
        tables = {name: [round(total / count), round(indexes / count)] for name, total, indexes in cursor.fetchall()}
    total = sum(both for both, _ in tables.values())
    return result("bytes/notification", [float(total)], [], "", notifications=count, with_indexes_and_of_indexes=tables)


def memory(made: World) -> Result:
    """PSS counts shared pages in shares: the sum is what the machine gives."""
    found = {}
    for name, pid in made.pids.items():
        rss = pss = 0.0
        for member in family(pid):
            with suppress(psutil.Error):
                info = member.memory_full_info()
                rss += info.rss / 2**20
                pss += info.pss / 2**20
        found[name] = {"rss_mb": round(rss), "pss_mb": round(pss)}
    return result("MB (PSS)", [float(sum(each["pss_mb"] for each in found.values()))], [], "", processes=found)


def decisions(quick: bool) -> Result:
    """Three cases in turn: sent, switched off, quiet; the CPU's time, one thread."""
    now = datetime.now(UTC)
    cases = [
        case_of(now, switches)
        for switches in ((), (Switch("order.*", "push", False),), (Switch("marketing", "push", False),))
    ]
    rounds, rates = (20_000 if quick else 60_000), []
    for _ in range(3):
        began = process_time()
        for _ in range(rounds // 3):
            for case in cases:
                decide(case)
        rates.append(rounds / (process_time() - began))
    return result("decisions/s per core", rates, [], "")


def case_of(now: datetime, switches: tuple[Switch, ...]) -> Case:
    tenant, person = ids.new(), ids.new()
    recipient = Recipient(person, tenant, "u_1", "en", "Europe/Berlin", {}, False)
    endpoint = Endpoint(
        ids.new(), person, Channel.PUSH, EndpointKind.DEVICE, "token", b"x" * 32, "tok...", "android", True, False
    )
    wish = Wish(Category.TRANSACTIONAL, "order.shipped", Priority.NORMAL, KeyMode.LIVE, "", None)
    return Case(wish, Person(recipient, (endpoint,), Choices(switches=switches), {}, False), Channel.PUSH, now)
