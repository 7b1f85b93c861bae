"""A big file after small ones: no statement, and no check of a foreign key, goes on as was best while there were few people."""

import pytest

from apps.audience.addresses import email_address
from apps.audience.imports import services
from apps.audience.models import Recipient
from apps.audience.services import upsert_recipients
from apps.core.rows import execute, fetch
from apps.core.types import InlineRecipient, Tenant
from tests.integration.admin_cast import acme
from tests.integration.imports_cast import brought

pytestmark = pytest.mark.django_db(transaction=True)
TABLES = ("audience_recipient", "audience_endpoint")
_WHOLE = "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname = ANY (%(tables)s)"
_COUNTED = "SELECT reltuples::int FROM pg_class WHERE oid = 'audience_recipient'::regclass"


def bring(tenant: Tenant, first: int, count: int) -> None:
    lines = "".join(f"u{n},u{n}@example.com\n" for n in range(first, first + count))
    said = brought(tenant, "user_id,email\n" + lines)
    assert (said.state, said.created, said.added_addresses) == ("finished", count, count)


def read_whole() -> dict[str, int]:
    """How often each table was read from its first row to its last."""
    fetch("SELECT pg_stat_force_next_flush()", {})
    return dict(fetch(_WHOLE, {"tables": list(TABLES)}))


def test_a_big_file_after_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "wake", lambda: None)
    # indexes that others left large would be the dearer way to few rows
    execute("TRUNCATE audience_recipient CASCADE", {})
    tenant = acme()
    bring(tenant, 0, 30)
    execute("VACUUM ANALYZE audience_recipient, audience_endpoint", {})
    few = fetch(_COUNTED, {})
    for n in range(100, 110):
        inline = InlineRecipient(user_id=f"u{n}", addresses=(email_address(f"u{n}@example.com", ""),))
        upsert_recipients(tenant=tenant, inline=[inline])
    before = read_whole()
    bring(tenant, 1_000, 2_000)
    after = read_whole()

    assert few == [(30,)] and fetch(_COUNTED, {}) == [(Recipient.objects.of(tenant).count(),)] == [(2_040,)]
    assert all(after[table] - before[table] < 20 for table in TABLES), (before, after)
