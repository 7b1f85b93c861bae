"""Imports that are stopped, lose their worker, their staged rows or their keys, and still end as if nothing had happened."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import override_settings

from apps.audience import models
from apps.audience.imports import claiming, keeping, lanes, services, working
from apps.audience.imports.checking import check
from apps.audience.imports.claiming import Claim
from apps.audience.imports.staging import table_of
from apps.audience.imports.writing import Page, write_page
from apps.audience.selectors import endpoints_of
from apps.core import clock
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Tenant
from tests.embedded import SETTINGS
from tests.integration.admin_cast import acme
from tests.integration.imports_cast import brought, left_over, mapped, people, seen, taken, work

pytestmark = pytest.mark.django_db

PEOPLE = 40
FILE = "user_id,email,n\n" + "".join(f"u{n},u{n}@example.com,{n}\n" for n in range(PEOPLE))
ALL = {f"u{n}": ("", "", {"n": n}) for n in range(PEOPLE)}


@pytest.fixture
def tenant() -> Tenant:
    return acme()


@pytest.fixture
def checked(tenant: Tenant) -> UUID:
    import_id = taken(tenant, FILE)
    assert mapped(tenant, import_id).state == "checked"
    return import_id


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Of eight lines; `then()` comes after so many pages of whatever lane."""

    def use(after: int = 0, then: Callable[[], Any] = lambda: None) -> None:
        count = 0

        def page(*given: Any) -> Page:
            nonlocal count
            written = write_page(*given, lines=8)
            count += 1
            if count == after:
                then()
            return written

        monkeypatch.setattr(lanes, "write_page", page)

    return use


def is_whole(tenant: Tenant, import_id: UUID) -> None:
    """Everybody once, with one address each, and nothing of the file is left."""
    said = seen(tenant, import_id)
    assert (said.state, said.created, said.added_addresses, said.written) == ("finished", PEOPLE, PEOPLE, PEOPLE + 1)
    assert people(tenant) == ALL
    assert models.Endpoint.objects.of(tenant).count() == PEOPLE
    assert left_over(import_id) == (0, False)


def test_a_pause_stops_it_between_two_pages_and_it_goes_on_there(
    tenant: Tenant, checked: UUID, small_pages: Callable[..., None]
) -> None:
    small_pages(2, lambda: services.pause_import(tenant=tenant, import_id=checked))
    services.start_import(tenant=tenant, import_id=checked)
    work()
    said = seen(tenant, checked)
    there = len(people(tenant))
    assert (said.state, 0 < there < PEOPLE, left_over(checked)) == ("paused", True, (1, True))
    work()
    assert len(people(tenant)) == there
    small_pages()
    services.start_import(tenant=tenant, import_id=checked)
    work()
    is_whole(tenant, checked)


def test_a_cancelled_one_writes_nothing_more_and_keeps_nothing(
    tenant: Tenant, checked: UUID, small_pages: Callable[..., None]
) -> None:
    small_pages(3, lambda: services.cancel_import(tenant=tenant, import_id=checked))
    services.start_import(tenant=tenant, import_id=checked)
    work()
    there = people(tenant)
    assert 0 < len(there) < PEOPLE
    assert there.items() <= ALL.items()
    assert (seen(tenant, checked).state, left_over(checked)) == ("cancelled", (0, False))
    with pytest.raises(Problem) as refusal:
        services.start_import(tenant=tenant, import_id=checked)
    assert refusal.value.code is Code.CONFLICT


def test_two_workers_never_have_the_same_import(tenant: Tenant, checked: UUID) -> None:
    services.start_import(tenant=tenant, import_id=checked)
    first = claiming.claim()
    assert first is not None and first.import_id == checked
    assert claiming.claim() is None


def test_who_lost_the_lease_writes_nothing(tenant: Tenant, checked: UUID) -> None:
    services.start_import(tenant=tenant, import_id=checked)
    first = claiming.claim()
    assert first is not None
    working.open_lanes(tenant.id, checked)
    models.Import.objects.of(tenant).filter(id=checked).update(lease_until=clock.now() - timedelta(seconds=1))
    second = claiming.claim()
    assert second is not None and second.token == first.token + 1
    assert not write_page(checked, first.token, 0, frozenset({"email"})).is_ours
    assert not claiming.renew(first, rate=1)
    assert people(tenant) == {}
    assert write_page(checked, second.token, 0, frozenset({"email"})).is_ours


def test_one_that_was_paused_when_all_was_written_has_not_ended(
    tenant: Tenant, checked: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is anything analysed for it, until somebody goes on."""
    write, execute = working._write, working.execute
    said: list[str] = []

    def heard(sql: str, values: Any) -> int:
        said.append(sql)
        return execute(sql, values)

    def then_paused(*given: Any) -> bool:
        is_done = write(*given)
        services.pause_import(tenant=tenant, import_id=checked)
        return is_done

    monkeypatch.setattr(working, "execute", heard)
    monkeypatch.setattr(working, "_write", then_paused)
    services.start_import(tenant=tenant, import_id=checked)
    work()
    assert (said, seen(tenant, checked).state, people(tenant)) == ([working._FINISH], "paused", ALL)
    monkeypatch.setattr(working, "_write", write)
    services.start_import(tenant=tenant, import_id=checked)
    work()
    assert said == [working._FINISH, working._FINISH, working._ANALYSE]
    is_whole(tenant, checked)


@pytest.mark.parametrize("loss", ["TRUNCATE {}", "DROP TABLE {}"])
def test_staged_rows_that_a_crash_took_are_made_again(
    tenant: Tenant, checked: UUID, small_pages: Callable[..., None], loss: str
) -> None:
    """PostgreSQL empties unlogged tables when it crashes. What was written before stays, and is not written twice."""
    small_pages(3, lambda: services.pause_import(tenant=tenant, import_id=checked))
    services.start_import(tenant=tenant, import_id=checked)
    work()
    with connection.cursor() as cursor:
        cursor.execute(loss.format(table_of(checked)))
    small_pages()
    services.start_import(tenant=tenant, import_id=checked)
    work()
    is_whole(tenant, checked)


def test_rows_that_were_staged_with_other_keys_are_staged_anew(tenant: Tenant, checked: UUID) -> None:
    first = SETTINGS["NOTIFIER_ENCRYPTION_KEYS"].partition(":")[2]
    from base64 import b64decode

    keys = {"k2": b"2" * 32, "k1": b64decode(first)}
    with override_settings(ENCRYPTION_KEYS=keys):
        services.start_import(tenant=tenant, import_id=checked)
        work()
        is_whole(tenant, checked)
        sealed = models.Endpoint.objects.of(tenant).values_list("sealed", flat=True)
        assert {bytes(one)[1:3] for one in sealed} == {b"k2"}
        owners = models.Recipient.objects.of(tenant).values_list("id", flat=True)
        assert {one.address for found in endpoints_of(owners).values() for one in found} == {
            f"u{n}@example.com" for n in range(PEOPLE)
        }


def test_an_address_that_is_known_by_an_earlier_hash_is_not_added_again(tenant: Tenant) -> None:
    brought(tenant, FILE)
    from django.conf import settings

    with override_settings(HASH_KEYS={"h2": b"2" * 32, **settings.HASH_KEYS}):
        said = brought(tenant, FILE + "new,new@example.com,1\n")
    assert (said.created, said.added_addresses) == (1, 1)
    assert models.Endpoint.objects.of(tenant).count() == PEOPLE + 1


def test_one_over_which_workers_die_is_set_aside(tenant: Tenant, checked: UUID) -> None:
    services.start_import(tenant=tenant, import_id=checked)
    for _ in range(claiming.MOST_DEATHS):
        assert isinstance(claiming.claim(), Claim)
        models.Import.objects.of(tenant).filter(id=checked).update(lease_until=clock.now() - timedelta(seconds=1))
    assert claiming.claim() is None
    said = seen(tenant, checked)
    assert (said.state, said.error) == ("paused", "Workers ended over it five times in a row; the log says why.")
    services.start_import(tenant=tenant, import_id=checked)
    work()
    is_whole(tenant, checked)


def test_a_check_that_ended_is_worth_a_page(tenant: Tenant) -> None:
    """Those who died over it before do not count with those who die over its first page."""
    import_id = taken(tenant, FILE)
    mapping = models.Import.objects.of(tenant).get(id=import_id).mapping
    services.map_columns(tenant=tenant, import_id=import_id, mapping=mapping, may_run=True)

    def lost() -> Claim:
        mine = claiming.claim()
        assert mine is not None
        models.Import.objects.of(tenant).filter(id=import_id).update(lease_until=clock.now() - timedelta(seconds=1))
        return mine

    for _ in range(claiming.MOST_DEATHS - 1):
        assert lost().state == "checking"
    check(lost(), threads=False)
    models.Import.objects.of(tenant).filter(id=import_id).update(lease_until=clock.now() - timedelta(seconds=1))
    for _ in range(claiming.MOST_DEATHS - 1):
        assert lost().state == "running"
    work()
    is_whole(tenant, import_id)


def test_what_nobody_goes_on_with_is_forgotten(tenant: Tenant, checked: UUID) -> None:
    refused = mapped(tenant, taken(tenant, "id,mail\n,\nx,y\n"), may_run=True)
    assert models.ImportFault.objects.of(tenant).count() == 2
    taken(tenant, FILE)
    keeping.forget_old(clock.now() + timedelta(days=keeping.FILE_DAYS - 1))
    assert models.ImportChunk.objects.of(tenant).count() == 2
    assert models.ImportFault.objects.of(tenant).count() == 2
    keeping.forget_old(clock.now() + timedelta(days=keeping.FILE_DAYS + 1))
    assert models.ImportChunk.objects.of(tenant).count() == 0
    assert models.ImportFault.objects.of(tenant).count() == 0
    assert left_over(checked) == (0, False)
    assert (seen(tenant, checked).state, refused.state) == ("cancelled", "finished")


def test_another_tenant_s_import_is_not_found(tenant: Tenant, checked: UUID) -> None:
    other = acme("other")
    for service in (services.start_import, services.pause_import, services.cancel_import):
        with pytest.raises(Problem) as refusal:
            service(tenant=other, import_id=checked)
        assert refusal.value.code is Code.NOT_FOUND
    assert seen(tenant, checked).state == "checked"
