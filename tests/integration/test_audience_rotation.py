"""manage.py rotate_encryption: new keys reach every row."""

from collections.abc import Mapping
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from apps.audience import models, rehashing, selectors, services
from apps.audience.addresses import address_hash, address_hashes, device_token, email_address
from apps.core import crypto, sealed
from apps.core.enums import Channel, Platform, SuppressionReason
from apps.core.types import InlineRecipient, NewSuppression, Tenant
from apps.preferences.selectors import suppressed
from apps.preferences.services import suppress as suppress_addresses
from apps.tenants.selectors import forget_cached
from apps.tenants.services import create_tenant

pytestmark = pytest.mark.django_db
OLD, NEW = b"o" * 32, b"n" * 32
BEFORE = override_settings(ENCRYPTION_KEYS={"old": OLD}, HASH_KEYS={"old": OLD})
DURING = override_settings(ENCRYPTION_KEYS={"new": NEW, "old": OLD}, HASH_KEYS={"new": NEW, "old": OLD})
AFTER = override_settings(ENCRYPTION_KEYS={"new": NEW}, HASH_KEYS={"new": NEW})


@pytest.fixture(autouse=True)
def only_endpoints(monkeypatch: pytest.MonkeyPatch) -> Any:
    crypto._cipher.cache_clear()
    monkeypatch.setattr(
        sealed, "_columns", {("audience.Endpoint", "sealed"): sealed.SealedColumn("audience.Endpoint", "sealed")}
    )
    yield
    crypto._cipher.cache_clear()


@pytest.fixture
def acme() -> Tenant:
    forget_cached()
    return create_tenant(slug="acme", name="Acme")


def rotate(*options: str) -> list[str]:
    said = StringIO()
    call_command("rotate_encryption", *options, stdout=said)
    return said.getvalue().splitlines()


def given(tenant: Tenant, count: int) -> dict[str, UUID]:
    people = [
        InlineRecipient(
            f"u_{n}", addresses=(email_address(f"U{n}@example.com", ""), device_token(f"token-{n}", Platform.IOS, ""))
        )
        for n in range(count)
    ]
    return services.upsert_recipients(tenant=tenant, inline=people)


def test_everything_is_readable_without_the_old_keys(acme: Tenant) -> None:
    with BEFORE:
        ids = given(acme, 7)
        before = selectors.endpoints_of(ids.values())
    with DURING:
        assert rotate("--batch", "4") == ["audience.Endpoint.sealed: 14 sealed anew", "address hashes: 14 made anew"]
    crypto._cipher.cache_clear()
    with AFTER:
        after = selectors.endpoints_of(ids.values())
        assert [row.address for rows in after.values() for row in rows] == [
            row.address for rows in before.values() for row in rows
        ]
        email = after[ids["u_0"]][0]
        assert email.address_hash == address_hash(acme.id, Channel.EMAIL, "u0@example.com")
        assert rotate() == ["audience.Endpoint.sealed: 0 sealed anew", "address hashes: 0 made anew"]


def test_it_goes_on_where_it_was_stopped(acme: Tenant) -> None:
    with BEFORE:
        given(acme, 5)
    with DURING:
        assert next(sealed.reseal(sealed.SealedColumn("audience.Endpoint", "sealed"), size=4)) == (4, 0)
        assert next(rehashing.rehash(size=4)) == 4
        assert rotate("--batch", "4") == ["audience.Endpoint.sealed: 6 sealed anew", "address hashes: 6 made anew"]


def test_registering_meanwhile_finds_the_old_hash(acme: Tenant) -> None:
    with BEFORE:
        given(acme, 1)
    with DURING:
        given(acme, 1)
        rosa = selectors.recipient_ids(acme.id, ["u_0"])["u_0"]
        again = services.register_endpoint(tenant=acme, recipient_id=rosa, address=email_address("u0@example.com", ""))
        assert again.is_new is False
    assert models.Endpoint.objects.of(acme).count() == 2


def test_it_tells_who_keeps_such_hashes_too(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[UUID, Mapping[bytes, bytes]]] = []
    monkeypatch.setattr(rehashing, "_callbacks", [lambda tenant_id, pairs: told.append((tenant_id, pairs))])
    with BEFORE:
        given(acme, 1)
        old = address_hash(acme.id, Channel.EMAIL, "u0@example.com")
    with DURING:
        rotate()
        new = address_hash(acme.id, Channel.EMAIL, "u0@example.com")
    ((tenant_id, pairs),) = told
    assert (tenant_id, pairs[old], len(pairs)) == (acme.id, new, 2)


def test_it_reports_what_no_key_opens_and_leaves_it(acme: Tenant) -> None:
    with BEFORE:
        given(acme, 1)
    rows = list(models.Endpoint.objects.of(acme).values_list("id", "sealed", "address_hash"))
    crypto._cipher.cache_clear()
    with AFTER, pytest.raises(CommandError, match="2 values cannot be decrypted"):
        rotate()
    assert list(models.Endpoint.objects.of(acme).values_list("id", "sealed", "address_hash")) == rows


def test_a_row_that_changed_meanwhile_is_left_as_it_is(acme: Tenant) -> None:
    given(acme, 1)
    endpoint_id, now_sealed = models.Endpoint.objects.of(acme).values_list("id", "sealed")[0]
    names = sealed._Names.of(sealed.SealedColumn("audience.Endpoint", "sealed"))
    assert sealed._replace(names, [(endpoint_id, b"what was read before", b"anew")]) == 0
    assert models.Endpoint.objects.of(acme).get(id=endpoint_id).sealed == now_sealed


@pytest.mark.parametrize("when", ["before the change of key", "before the rotation", "after it"])
def test_a_suppressed_address_stays_suppressed_throughout(acme: Tenant, when: str) -> None:
    def suppress() -> None:
        hashes = address_hashes(acme.id, Channel.EMAIL, "u0@example.com")
        veto = NewSuppression(
            acme.id, Channel.EMAIL, hashes[0], "u***@example.com", SuppressionReason.COMPLAINT, "test"
        )
        assert suppress_addresses([veto]) == 1

    def is_suppressed(recipient_id: UUID) -> bool:
        endpoint = selectors.endpoints_of([recipient_id])[recipient_id][0]
        return bool(suppressed({(acme.id, Channel.EMAIL, found) for found in endpoint.hashes}))

    with BEFORE:
        ids = given(acme, 1)
        if when == "before the change of key":
            suppress()
    with DURING:
        if when == "before the rotation":
            suppress()
        late = services.upsert_recipients(
            tenant=acme, inline=[InlineRecipient("late", addresses=(email_address("u0@example.com", ""),))]
        )
        if when != "after it":
            assert [is_suppressed(ids["u_0"]), is_suppressed(late["late"])] == [True, True]
        rotate()
        if when == "after it":
            suppress()
        assert [is_suppressed(ids["u_0"]), is_suppressed(late["late"])] == [True, True]
    crypto._cipher.cache_clear()
    with AFTER:
        assert [is_suppressed(ids["u_0"]), is_suppressed(late["late"])] == [True, True]
