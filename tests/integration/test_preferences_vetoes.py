"""Switches and suppressions, as dispatch asks for them and as services write them."""

import threading
from hashlib import sha256

import pytest
from django.db import connection

from apps.core import ids
from apps.core.enums import Channel, SuppressionReason
from apps.core.rows import fetch
from apps.core.types import Author, Change, NewSuppression, Switch
from apps.preferences import choosing, selectors, services
from apps.preferences.changing import change_choices
from apps.preferences.models import Preference, Suppression
from tests.integration import inbox_cast as cast
from tests.integration.statements import counted

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    return cast.tenant()


@pytest.fixture
def otto(acme):
    return cast.recipient(acme, "otto")


def switched(acme, otto, topic, channel, is_on, source="settings page"):
    services.set_switch(tenant_id=acme, recipient_id=otto, topic=topic, channel=channel, is_on=is_on, source=source)


def switches(*people):
    return {id_: chosen.switches for id_, chosen in choosing.stored(people).items()}


def replaced(acme, otto, *switches):
    change = Change(switches=switches, replaces=True)
    change_choices(tenant_id=acme, recipient_id=otto, change=change, by=Author("api"))


def veto(tenant_id, number, channel=Channel.EMAIL, reason=SuppressionReason.HARD_BOUNCE, source="ses"):
    return NewSuppression(tenant_id, channel, number.to_bytes(32, "big"), f"b***{number}@example.com", reason, source)


@pytest.mark.parametrize("count", [1, 10, 1_000])
def test_the_choices_of_any_number_of_people_take_one_query(acme, otto, count):
    switched(acme, otto, "order.*", "email", False)
    switched(acme, otto, "category:marketing", "*", False)
    switched(acme, otto, "order.*", "*", True)

    with counted() as statements:
        found = choosing.stored([otto, *(ids.new() for _ in range(count - 1))])

    assert len(statements) == 1
    assert {id_: chosen.switches for id_, chosen in found.items()} == {
        otto: (
            Switch("category:marketing", "*", False),
            Switch("order.*", "*", True),
            Switch("order.*", "email", False),
        )
    }


def test_nobodys_choices_take_no_query():
    with counted() as statements:
        assert choosing.stored([]) == {}
    assert statements == []


def test_a_switch_set_again_is_one_switch_with_its_latest_source(acme, otto):
    switched(acme, otto, "order.*", "email", False, source="settings page")
    switched(acme, otto, "order.*", "email", True, source="api")

    assert list(Preference.objects.of(acme).values_list("topic", "channel", "is_on", "source")) == [
        ("order.*", "email", True, "api")
    ]


def test_a_switch_that_is_so_already_keeps_who_set_it_and_when(acme, otto):
    switched(acme, otto, "order.*", "email", False, source="settings page")
    before = Preference.objects.of(acme).values().get()

    switched(acme, otto, "order.*", "email", False, source="api")

    assert Preference.objects.of(acme).values().get() == before


def test_replacing_takes_seven_statements_and_touches_only_what_differs(acme, otto):
    rosa = cast.recipient(acme, "rosa")
    for person in (otto, rosa):
        switched(acme, person, "order.*", "email", False)
        switched(acme, person, "*", "sms", False)
    kept = Preference.objects.of(acme).values().get(recipient_id=otto, topic="order.*")

    with counted() as statements:
        replaced(acme, otto, Switch("order.*", "email", False), Switch("category:social", "*", False))

    assert len(statements) == 7  # lock, read, delete, insert, latest record, new records, version

    assert switches(otto, rosa) == {
        otto: (Switch("category:social", "*", False), Switch("order.*", "email", False)),
        rosa: (Switch("*", "sms", False), Switch("order.*", "email", False)),
    }
    assert Preference.objects.of(acme).values().get(recipient_id=otto, topic="order.*") == kept


def test_replacing_with_nothing_leaves_the_defaults(acme, otto):
    switched(acme, otto, "order.*", "email", False)

    replaced(acme, otto)

    assert switches(otto) == {otto: ()}


@pytest.mark.django_db(transaction=True)
def test_two_replacements_at_once_leave_one_of_them_and_no_mixture(acme, otto):
    lists = [[Switch(f"{name}.{number}", "*", False) for number in range(20)] for name in ("a", "b")]

    def replace(switches):
        for _ in range(10):
            replaced(acme, otto, *switches)
        connection.close()

    threads = [threading.Thread(target=replace, args=[switches]) for switches in lists]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = switches(otto)[otto]
    assert sorted(found, key=lambda s: s.topic) in [sorted(wanted, key=lambda s: s.topic) for wanted in lists]


@pytest.mark.parametrize("count", [1, 10, 1_000])
def test_any_number_of_addresses_is_suppressed_and_looked_up_in_one_statement_each(
    acme, count, django_assert_num_queries
):
    rows = [veto(acme, number) for number in range(count)]

    with django_assert_num_queries(1):
        assert services.suppress(rows) == count
    keys = [(acme, Channel.EMAIL, row.address_hash) for row in rows]
    with counted() as ran:
        assert selectors.suppressed(keys) == frozenset(keys)
    assert len(ran) == 1


def test_nothing_to_suppress_or_to_look_up_takes_no_query():
    with counted() as ran:
        assert services.suppress([]) == 0
        assert selectors.suppressed([]) == frozenset()
    assert ran == []


def test_a_suppression_holds_for_its_tenant_its_channel_and_its_address_only(acme):
    beta = cast.tenant("beta")
    services.suppress([veto(acme, 1)])
    one, two = (number.to_bytes(32, "big") for number in (1, 2))

    asked = {(tenant, channel, digest) for tenant in (acme, beta) for channel in Channel for digest in (one, two)}
    assert selectors.suppressed(asked) == {(acme, Channel.EMAIL, one)}
    assert selectors.suppressed(asked - {(acme, Channel.EMAIL, one)}) == frozenset()


def test_looking_up_does_not_read_the_whole_table(acme, monkeypatch):
    plans = []

    def explain(sql, parameters):
        plans.extend(row[0] for row in fetch(f"EXPLAIN {sql}", parameters))
        return fetch(sql, parameters)

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO preferences_suppression"
            " (id, tenant_id, channel, address_hash, masked, reason, source, created_at, updated_at)"
            " SELECT uuidv7(), %s, 'email', sha256(n::text::bytea), '', 'manual', '', now(), now()"
            " FROM generate_series(1, 50000) AS n",
            [acme],
        )
        cursor.execute("ANALYZE preferences_suppression")
    monkeypatch.setattr(selectors, "fetch", explain)
    found = selectors.suppressed([(acme, Channel.EMAIL, sha256(b"%d" % n).digest()) for n in range(-499, 501)])

    assert len(found) == 500

    assert "suppression_once" in "\n".join(plans)
    assert "Seq Scan" not in "\n".join(plans)


def test_the_first_reason_is_kept(acme):
    services.suppress([veto(acme, 1, reason=SuppressionReason.COMPLAINT, source="ses")])

    again = [
        veto(acme, 1, reason=SuppressionReason.MANUAL, source="api"),
        veto(acme, 2, source="a"),
        veto(acme, 2, source="b"),
    ]
    assert services.suppress(again) == 1

    rows = Suppression.objects.of(acme).order_by("address_hash").values_list("reason", "source")
    assert list(rows) == [("complaint", "ses"), ("hard_bounce", "a")]


def test_lifting_frees_one_address_on_one_channel(acme):
    beta = cast.tenant("beta")
    services.suppress([veto(acme, 1), veto(acme, 2), veto(acme, 1, Channel.SMS), veto(beta, 1)])
    one = (1).to_bytes(32, "big")

    assert services.lift_suppression(tenant_id=acme, channel=Channel.EMAIL, hashes=[one])
    assert not services.lift_suppression(tenant_id=acme, channel=Channel.EMAIL, hashes=[one])

    left = Suppression.objects.all_tenants().values_list("tenant_id", "channel", "masked")
    assert set(left) == {
        (acme, "email", "b***2@example.com"),
        (acme, "sms", "b***1@example.com"),
        (beta, "email", "b***1@example.com"),
    }


def test_a_forgotten_recipient_leaves_no_preferences_but_the_address_stays_suppressed(acme, otto):
    from apps.audience.models import Recipient

    switched(acme, otto, "order.*", "email", False)
    services.suppress([veto(acme, 1)])

    Recipient.objects.of(acme).filter(id=otto).delete()

    assert Preference.objects.all_tenants().count() == 0
    assert Suppression.objects.all_tenants().count() == 1
