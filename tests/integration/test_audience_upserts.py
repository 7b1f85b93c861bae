"""People and endpoints written in bulk, for ingestion."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import DjangoAssertNumQueries

from apps.audience import models, selectors, services
from apps.audience.addresses import address_hash, device_token, email_address, phone_number
from apps.audience.registering import Registered
from apps.core import clock, crypto
from apps.core.enums import Channel, EndpointKind, Platform
from apps.core.types import Endpoint, InlineRecipient, Recipient, Tenant
from apps.tenants.selectors import forget_cached
from apps.tenants.services import create_tenant
from tests.integration.bundles_cast import statements

pytestmark = pytest.mark.django_db
ROSA = InlineRecipient(
    "rosa",
    locale="de-CH",
    timezone="Europe/Zurich",
    attributes={"first_name": "Rosa"},
    addresses=(email_address("Rosa@example.com", ""), phone_number("+41446681800", "")),
)


@pytest.fixture
def acme() -> Tenant:
    forget_cached()
    return create_tenant(slug="acme", name="Acme")


def people(count: int, **changes: Any) -> list[InlineRecipient]:
    return [
        InlineRecipient(
            f"u_{number}",
            **({"locale": "en", "addresses": (email_address(f"u{number}@example.com", ""),)} | changes),
        )
        for number in range(count)
    ]


def test_it_creates_people_with_their_addresses(acme: Tenant) -> None:
    ids = services.upsert_recipients(tenant=acme, inline=[ROSA])
    rosa = ids["rosa"]
    assert selectors.recipient_ids(acme.id, ["rosa", "otto"]) == ids
    assert selectors.recipients([rosa]) == {
        rosa: Recipient(rosa, acme.id, "rosa", "de-CH", "Europe/Zurich", {"first_name": "Rosa"}, False)
    }
    email, phone = selectors.endpoints_of([rosa])[rosa]
    assert email == Endpoint(
        id=email.id,
        recipient_id=rosa,
        channel=Channel.EMAIL,
        kind=EndpointKind.EMAIL,
        address="Rosa@example.com",
        address_hash=address_hash(acme.id, Channel.EMAIL, "rosa@example.com"),
        masked="R***@example.com",
        platform="",
        is_verified=True,
        is_retired=False,
    )
    assert (phone.channel, phone.address, phone.masked) == (Channel.SMS, "+41446681800", "+41*****00")
    assert selectors.endpoints([phone.id, email.id]) == {email.id: email, phone.id: phone}


def test_it_stores_no_address_in_clear(acme: Tenant) -> None:
    services.upsert_recipients(tenant=acme, inline=[ROSA])
    for row in models.Endpoint.objects.of(acme).values():
        stored = b"".join(
            bytes(value) if isinstance(value, memoryview) else str(value).encode() for value in row.values()
        )
        assert b"Rosa@" not in stored
        assert b"rosa@" not in stored
        assert b"446681800" not in stored


def test_the_same_again_writes_nothing(acme: Tenant) -> None:
    services.upsert_recipients(tenant=acme, inline=[ROSA])
    before = (list(models.Recipient.objects.of(acme).values()), list(models.Endpoint.objects.of(acme).values()))
    with CaptureQueriesContext(connection) as queries:
        services.upsert_recipients(tenant=acme, inline=[ROSA])
    assert [query["sql"].split()[0] for query in queries] == ["SELECT", "SELECT"]
    assert (list(models.Recipient.objects.of(acme).values()), list(models.Endpoint.objects.of(acme).values())) == before


def test_it_changes_what_is_given_and_leaves_the_rest(acme: Tenant) -> None:
    rosa = services.upsert_recipients(tenant=acme, inline=[ROSA])["rosa"]
    services.upsert_recipients(tenant=acme, inline=[InlineRecipient("rosa", timezone="", is_blocked=True)])
    assert selectors.recipients([rosa])[rosa] == Recipient(
        rosa, acme.id, "rosa", "de-CH", "", {"first_name": "Rosa"}, True
    )
    services.upsert_recipients(
        tenant=acme, inline=[InlineRecipient("rosa", locale="fr", attributes={}, is_blocked=False)]
    )
    assert selectors.recipients([rosa])[rosa] == Recipient(rosa, acme.id, "rosa", "fr", "", {}, False)
    assert len(selectors.endpoints_of([rosa])[rosa]) == 2


def test_somebody_named_twice_is_one_person_and_the_later_word_counts(acme: Tenant) -> None:
    twice = [
        InlineRecipient("rosa", locale="de", timezone="UTC", addresses=(email_address("a@example.com", ""),)),
        InlineRecipient(
            "rosa", locale="fr", addresses=(email_address("A@example.com", ""), email_address("b@example.com", ""))
        ),
    ]
    rosa = services.upsert_recipients(tenant=acme, inline=twice)["rosa"]
    found = selectors.recipients([rosa])[rosa]
    assert (found.locale, found.timezone) == ("fr", "UTC")
    assert [endpoint.address for endpoint in selectors.endpoints_of([rosa])[rosa]] == ["A@example.com", "b@example.com"]


@pytest.mark.parametrize("count", [1, 10, 1000])
def test_the_number_of_queries_does_not_depend_on_the_number_of_people(
    acme: Tenant, count: int, django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    with django_assert_num_queries(4):
        ids = services.upsert_recipients(tenant=acme, inline=people(count))
    assert len(ids) == count
    with django_assert_num_queries(2):
        services.upsert_recipients(tenant=acme, inline=people(count))
    with django_assert_num_queries(3):
        services.upsert_recipients(tenant=acme, inline=people(count, locale="fr"))
    with statements(monkeypatch) as by_hand, django_assert_num_queries(0):
        assert len(selectors.recipients(ids.values())) == count
        found = selectors.endpoints_of(ids.values())
        assert len(found) == count
        assert len(selectors.endpoints([row.id for rows in found.values() for row in rows])) == count
    assert len(by_hand) == 3


def test_people_of_another_tenant_are_other_people(acme: Tenant) -> None:
    globex = create_tenant(slug="globex", name="Globex")
    ours = services.upsert_recipients(tenant=acme, inline=[ROSA])
    theirs = services.upsert_recipients(tenant=globex, inline=[ROSA])
    assert ours["rosa"] != theirs["rosa"]
    ((our_email, _), (their_email, _)) = (selectors.endpoints_of(ids.values()).popitem()[1] for ids in (ours, theirs))
    assert our_email.address_hash != their_email.address_hash
    assert selectors.recipient_ids(globex.id, ["rosa"]) == theirs
    services.upsert_recipients(tenant=globex, inline=[InlineRecipient("rosa", locale="fr")])
    assert selectors.recipients(ours.values())[ours["rosa"]].locale == "de-CH"
    assert selectors.recipients(theirs.values())[theirs["rosa"]].locale == "fr"


def test_a_retired_address_comes_back_only_when_it_is_registered(acme: Tenant) -> None:
    rosa = services.upsert_recipients(tenant=acme, inline=[ROSA])["rosa"]
    email, phone = selectors.endpoints_of([rosa])[rosa]
    now = clock.now()
    assert services.retire_endpoints(dead={email.id: None}, reason="hard_bounce", now=now) == 1
    assert services.retire_endpoints(dead={email.id: None}, reason="opted_out", now=now + timedelta(1)) == 0
    assert models.Endpoint.objects.of(acme).get(id=email.id).retired_reason == "hard_bounce"
    services.upsert_recipients(tenant=acme, inline=[ROSA])
    assert [row.is_retired for row in selectors.endpoints_of([rosa])[rosa]] == [True, False]
    again = services.register_endpoint(tenant=acme, recipient_id=rosa, address=email_address("rosa@example.com", ""))
    assert again == (email.id, False)
    assert selectors.endpoints_of([rosa])[rosa] == (email, phone)


def test_a_device_belongs_to_whoever_registered_it_last(acme: Tenant) -> None:
    phone = device_token("registration-token-of-a-shared-phone", Platform.IOS, "")
    globex = create_tenant(slug="globex", name="Globex")
    ids = services.upsert_recipients(
        tenant=acme, inline=[InlineRecipient("rosa", addresses=(phone,)), InlineRecipient("otto")]
    )
    elsewhere = services.upsert_recipients(tenant=globex, inline=[InlineRecipient("rosa", addresses=(phone,))])["rosa"]
    services.upsert_recipients(tenant=acme, inline=[InlineRecipient("otto", addresses=(phone,))])
    found = selectors.endpoints_of([*ids.values(), elsewhere])
    assert [row.is_retired for row in found[ids["rosa"]]] == [True]
    assert [row.is_retired for row in found[ids["otto"]]] == [False]
    assert [row.is_retired for row in found[elsewhere]] == [False]
    services.register_endpoint(tenant=acme, recipient_id=ids["rosa"], address=phone)
    found = selectors.endpoints_of(ids.values())
    assert [row.is_retired for row in found[ids["rosa"]]] == [False]
    assert [row.is_retired for row in found[ids["otto"]]] == [True]


def test_an_email_address_may_be_shared(acme: Tenant) -> None:
    shared = (email_address("family@example.com", ""),)
    ids = services.upsert_recipients(
        tenant=acme, inline=[InlineRecipient("rosa", addresses=shared), InlineRecipient("otto", addresses=shared)]
    )
    services.register_endpoint(tenant=acme, recipient_id=ids["otto"], address=shared[0])
    assert [row.is_retired for rows in selectors.endpoints_of(ids.values()).values() for row in rows] == [False, False]


def test_an_address_does_not_decrypt_in_another_row(acme: Tenant) -> None:
    rosa = services.upsert_recipients(tenant=acme, inline=[ROSA])["rosa"]
    email, phone = selectors.endpoints_of([rosa])[rosa]
    moved = models.Endpoint.objects.of(acme).get(id=email.id).sealed
    models.Endpoint.objects.of(acme).filter(id=phone.id).update(sealed=moved)
    with pytest.raises(crypto.UndecipherableError):
        selectors.endpoints_of([rosa])


@pytest.fixture
def closing_threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.mark.django_db(transaction=True)
def test_twins_make_one_person_and_one_endpoint(closing_threads: ThreadPoolExecutor) -> None:
    forget_cached()
    acme = create_tenant(slug="acme", name="Acme")

    def write(_: int) -> dict[str, Any]:
        try:
            return services.upsert_recipients(tenant=acme, inline=[ROSA, *people(20)])
        finally:
            connection.close()

    answers = list(closing_threads.map(write, range(16)))
    assert all(answer == answers[0] for answer in answers)
    assert models.Recipient.objects.of(acme).count() == 21
    assert models.Endpoint.objects.of(acme).count() == 22


@pytest.mark.django_db(transaction=True)
def test_twins_register_one_endpoint(closing_threads: ThreadPoolExecutor) -> None:
    forget_cached()
    acme = create_tenant(slug="acme", name="Acme")
    rosa = services.upsert_recipients(tenant=acme, inline=[InlineRecipient("rosa")])["rosa"]
    start = Barrier(8)

    def write(number: int) -> Registered:
        try:
            connection.ensure_connection()
            start.wait(10)
            address = email_address("rosa@example.com", "")
            return services.register_endpoint(tenant=acme, recipient_id=rosa, address=address)
        finally:
            connection.close()

    answers = list(closing_threads.map(write, range(8)))
    assert len({answer.endpoint_id for answer in answers}) == 1
    assert [answer.is_new for answer in answers].count(True) == 1
    assert selectors.endpoints_of([rosa])[rosa][0].address == "rosa@example.com"
