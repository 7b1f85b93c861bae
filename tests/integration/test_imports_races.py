"""Imports as workers do them, with threads. An import and the API write the same people at the same time: each waits for the other, none
dies, nobody is doubled."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random
from time import monotonic

import pytest
from django.db import connection

from apps.audience import models
from apps.audience.addresses import email_address
from apps.audience.imports import checking, reading, services, working
from apps.audience.services import upsert_recipients
from apps.core.types import InlineRecipient, Tenant
from tests.integration.admin_cast import acme
from tests.integration.imports_cast import mapped, people, seen, taken

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE, ROUNDS, AT_ONCE = 600, 40, 80


def write(tenant: Tenant, seed: int) -> int:
    chance = Random(seed)
    try:
        for _ in range(ROUNDS):
            numbers = chance.sample(range(PEOPLE), AT_ONCE)
            upsert_recipients(
                tenant=tenant,
                inline=[
                    InlineRecipient(
                        user_id=f"u{n}",
                        attributes={"by": seed},
                        addresses=(email_address(f"u{n}@example.com", ""),),
                    )
                    for n in numbers
                ],
            )
    finally:
        connection.close()
    return ROUNDS


def test_nobody_dies_and_nobody_is_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.audience.imports import lanes
    from apps.audience.imports.writing import Page, write_page

    def small(*given: object) -> Page:
        return write_page(*given, lines=100)  # type: ignore[arg-type]

    monkeypatch.setattr(lanes, "write_page", small)
    monkeypatch.setattr(services, "wake", lambda: None)
    tenant = acme()
    lines = [f"u{n},u{n}@example.com,+4144668{n:04d},{n}" for n in range(PEOPLE)]
    Random(7).shuffle(lines)
    import_id = taken(tenant, "user_id,email,phone,n\n" + "\n".join(lines) + "\n")
    mapped(tenant, import_id)
    services.start_import(tenant=tenant, import_id=import_id)
    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write, tenant, seed) for seed in (1, 2)]
        while working.work(ends=monotonic() + 60):
            continue
        assert [writer.result() for writer in writers] == [ROUNDS, ROUNDS]
    said = seen(tenant, import_id)
    assert (said.state, said.refused) == ("finished", 0)
    assert models.Recipient.objects.of(tenant).count() == PEOPLE
    assert models.Endpoint.objects.of(tenant).filter(channel="email").count() == PEOPLE
    assert models.Endpoint.objects.of(tenant).filter(channel="sms").count() == PEOPLE


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SLICE", 20)
    monkeypatch.setattr(checking, "rows_of", partial(reading.rows_of, size=20))
    monkeypatch.setattr(services, "wake", lambda: None)


def sessions() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        ((count,),) = cursor.fetchall()
    return int(count)


@pytest.mark.usefixtures("small_batches")
def test_rows_are_judged_ahead_of_those_that_are_stored() -> None:
    tenant = acme()
    lines = [f"u{n},{n}" if n % 25 else f"u{n},{n},too wide" for n in range(1, 96)]
    import_id = taken(tenant, "user_id,n\n" + "\n".join([*lines, "u1,0"]) + "\n")
    known = models.Import.objects.of(tenant).get(id=import_id).mapping
    services.map_columns(tenant=tenant, import_id=import_id, mapping=known)
    services.start_import(tenant=tenant, import_id=import_id)
    before = sessions()
    assert not working.work(ends=monotonic() + 60)
    said = seen(tenant, import_id)
    assert (said.state, said.rows, said.refused, said.doubled, said.created) == ("finished", 96, 3, 1, 92)
    assert sorted(people(tenant)) == sorted(f"u{n}" for n in range(1, 96) if n % 25)
    assert sessions() == before


@pytest.mark.usefixtures("small_batches")
def test_what_cannot_be_read_ahead_fails_the_import() -> None:
    tenant = acme()
    import_id = taken(tenant, "user_id,n\n" + "".join(f"u{n},{n}\n" for n in range(50)) + 'u50,"never ended\n')
    known = models.Import.objects.of(tenant).get(id=import_id).mapping
    services.map_columns(tenant=tenant, import_id=import_id, mapping=known)
    before = sessions()
    assert not working.work(ends=monotonic() + 60)
    said = seen(tenant, import_id)
    assert (said.state, said.created, people(tenant)) == ("failed", 0, {})
    assert sessions() == before
