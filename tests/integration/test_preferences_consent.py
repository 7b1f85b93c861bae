"""The history of what people chose: append-only, each record bound to the one before."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, connection, transaction

from apps.core import ids
from apps.core.enums import Channel, DigestFrequency, SuppressionReason
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Author, Change, DigestTime, Mute, NewSuppression, OwnQuietHours, QuietHours, Switch
from apps.preferences import opt_outs, proving, services
from apps.preferences.changing import change_choices
from apps.preferences.choosing import stored
from apps.preferences.consent import hash_of
from apps.preferences.models import ConsentRecord
from apps.preferences.selectors import consents
from tests.integration import inbox_cast as cast
from tests.integration.statements import counted

pytestmark = pytest.mark.django_db
UNTIL = datetime(2027, 1, 1, tzinfo=UTC)
NOTE = ids.new()
ROSA = Author("settings_page", "Offers by email", "2001:DB8::0:1", "Firefox" * 60 + "\x00", NOTE)


@pytest.fixture
def acme():
    return cast.tenant()


@pytest.fixture
def otto(acme):
    return cast.recipient(acme, "otto")


def changed(acme, otto, by=ROSA, **fields):
    return change_choices(tenant_id=acme, recipient_id=otto, change=Change(**fields), by=by)


def records(otto):
    rows = ConsentRecord.objects.all_tenants().filter(recipient_id=otto).order_by("number")
    return list(rows.values_list("number", "what", "topic", "channel", "before", "after"))


def test_each_change_is_one_record_with_what_was_and_what_is(acme, otto):
    changed(acme, otto, switches=(Switch("order.*", "email", True, DigestFrequency.DAILY), Switch("*", "sms", False)))
    changed(acme, otto, switches=(Switch("order.*", "email", False),), cleared=frozenset({("*", "sms")}))
    changed(
        acme, otto, muted=(Mute("*", "*", UNTIL),), digest_time=DigestTime(7, 2), blocked_actors=frozenset({"b", "a"})
    )
    changed(
        acme,
        otto,
        quiet_hours=OwnQuietHours((QuietHours(1320, 420, (Channel.PUSH,)),)),
        unmuted=frozenset({("*", "*")}),
    )

    pause = {"until": "2027-01-01T00:00:00+00:00"}
    assert records(otto) == [
        (1, "preference", "*", "sms", None, {"on": False}),
        (2, "preference", "order.*", "email", None, {"on": True, "digest": "daily"}),
        (3, "preference", "*", "sms", {"on": False}, None),
        (4, "preference", "order.*", "email", {"on": True, "digest": "daily"}, {"on": False}),
        (5, "mute", "*", "*", None, pause),
        (6, "digest_time", "", "", {"hour": 9, "weekday": 0}, {"hour": 7, "weekday": 2}),
        (7, "blocked_actors", "", "", [], ["a", "b"]),
        (8, "mute", "*", "*", pause, None),
        (9, "quiet_hours", "", "", None, [{"start": 1320, "end": 420, "channels": ["push"], "categories": []}]),
    ]


def test_a_record_says_who_what_was_shown_and_from_where(acme, otto):
    changed(acme, otto, switches=(Switch("*", "*", False),))

    row = ConsentRecord.objects.of(acme).get()
    assert (row.source, row.text, row.address, row.notification_id) == (
        *("settings_page", "Offers by email", "2001:db8::1"),
        NOTE,
    )
    assert row.agent == ("Firefox" * 60)[:300]


def test_the_same_choice_again_writes_nothing_and_keeps_the_version(acme, otto):
    first = changed(acme, otto, switches=(Switch("*", "sms", False),))
    with counted() as statements:
        again = changed(acme, otto, by=Author("api"), switches=(Switch("*", "sms", False),))

    assert (first.version, again) == (1, first)
    assert again.switches[0].source == "settings_page"
    assert len(statements) == 2  # lock, read
    assert len(records(otto)) == 1


def test_an_untouched_history_is_whole(acme, otto):
    for is_on in (False, True, False):
        changed(acme, otto, switches=(Switch("*", "sms", is_on), Switch("a.b", "email", is_on)))

    chain = proving.chain_of(tenant_id=acme, recipient_id=otto)

    assert (chain.length, chain.broken_at) == (6, None)
    assert chain.head == bytes(ConsentRecord.objects.of(acme).get(number=6).hash)


@pytest.mark.parametrize(
    ("tampering", "broken_at"),
    [
        ("UPDATE preferences_consentrecord SET after = '{\"on\": false}' WHERE number = 2", 2),
        ("UPDATE preferences_consentrecord SET at = at + interval '1 microsecond' WHERE number = 3", 3),
        ("UPDATE preferences_consentrecord SET address = '::2' WHERE number = 1", 1),
        ("UPDATE preferences_consentrecord SET hash = previous_hash WHERE number = 3", 3),
        ("DELETE FROM preferences_consentrecord WHERE number = 2", 3),
        ("UPDATE preferences_consentrecord SET number = 7 WHERE number = 1", 2),
    ],
)
def test_who_gets_around_the_trigger_breaks_the_chain(acme, otto, tampering, broken_at):
    for is_on in (False, True, False):
        changed(acme, otto, switches=(Switch("*", "sms", is_on),))
    rosa = cast.recipient(acme, "rosa")
    changed(acme, rosa, switches=(Switch("*", "sms", False),))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = 'replica'")
        cursor.execute(f"{tampering} AND recipient_id = %s", [otto])

    assert proving.chain_of(tenant_id=acme, recipient_id=otto).broken_at == broken_at
    assert [chain.recipient_id for chain in proving.chains() if chain.broken_at is not None] == [otto]
    said = StringIO()
    with pytest.raises(CommandError, match=r"1 of 2 histories are broken\."):
        call_command("verify_consent", stderr=said)
    assert said.getvalue() == f"recipient {otto}: record {broken_at} does not fit\n"


def test_who_writes_a_record_anew_with_its_hash_must_write_all_that_follow(acme, otto):
    for is_on in (False, True, False):
        changed(acme, otto, switches=(Switch("*", "sms", is_on),))
    first, _, _ = consents_of(otto)
    forged = replace(first.entry, after={"on": True})
    hash_ = hash_of(forged, bytes(32))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = 'replica'")
        cursor.execute(
            "UPDATE preferences_consentrecord SET after = '{\"on\": true}', hash = %s WHERE number = 1", [hash_]
        )
        cursor.execute("UPDATE preferences_consentrecord SET previous_hash = %s WHERE number = 2", [hash_])

    assert proving.chain_of(tenant_id=acme, recipient_id=otto).broken_at == 2


def consents_of(otto):
    tenant_id = ConsentRecord.objects.all_tenants().filter(recipient_id=otto).values_list("tenant_id", flat=True)[0]
    return consents(tenant_id=tenant_id, recipient_id=otto)[::-1]


@pytest.mark.django_db(transaction=True)
def test_changes_at_once_come_one_after_another(acme, otto):
    def change(topic):
        for is_on in (False, True) * 5:
            changed(acme, otto, switches=(Switch(topic, "sms", is_on),))
        connection.close()

    threads = [threading.Thread(target=change, args=[topic]) for topic in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    chain = proving.chain_of(tenant_id=acme, recipient_id=otto)
    assert (chain.length, chain.broken_at, stored([otto])[otto].version) == (30, None, 30)


def test_nobody_changes_the_choices_of_another_tenants_people(acme, otto):
    beta = cast.tenant("beta")
    with pytest.raises(Problem) as refused:
        changed(beta, otto, switches=(Switch("*", "sms", False),))
    services.switch_off({(beta, otto, Channel.SMS)}, topic="*", source="receipt")

    assert refused.value.code == Code.UNKNOWN_USER
    assert (records(otto), stored([otto])[otto].version) == ([], 0)


def test_the_command_counts_what_is_whole(acme, otto):
    changed(acme, otto, switches=(Switch("*", "sms", False), Switch("*", "email", False)))
    cast.tenant("beta")
    said = StringIO()
    call_command("verify_consent", stdout=said)
    call_command("verify_consent", tenant="beta", stdout=said)
    assert said.getvalue() == "1 histories with 2 records are whole.\n0 histories with 0 records are whole.\n"


@pytest.mark.parametrize(
    "statement",
    ["UPDATE preferences_consentrecord SET source = 'nobody'", "DELETE FROM preferences_consentrecord"],
)
def test_the_database_refuses_to_change_a_record(acme, otto, statement):
    changed(acme, otto, switches=(Switch("*", "sms", False),))

    with pytest.raises(IntegrityError, match="does not change"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert proving.chain_of(tenant_id=acme, recipient_id=otto).length == 1


def test_who_erases_a_tenant_says_so_first(acme, otto):
    changed(acme, otto, switches=(Switch("*", "sms", False),))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL notifier.erase_consents = 'on'")
        cursor.execute("DELETE FROM preferences_consentrecord")
    assert records(otto) == []


def test_a_record_outlives_the_person(acme, otto):
    from apps.audience.models import Recipient

    changed(acme, otto, switches=(Switch("*", "sms", False),))
    Recipient.objects.of(acme).filter(id=otto).delete()
    assert proving.chain_of(tenant_id=acme, recipient_id=otto).length == 1


def stop(acme, people):
    row = NewSuppression(acme, Channel.SMS, bytes(32), "+49***", SuppressionReason.OPTED_OUT, "inbound")
    opt_outs.opt_out(people, [row], channel=Channel.SMS, source="inbound", at=UNTIL)


def test_stop_is_recorded_as_a_veto_and_a_choice_and_start_as_its_end(acme, otto):
    stop(acme, [(acme, otto)])
    stop(acme, [(acme, otto)])
    opt_outs.opt_in([(acme, otto)], hashes={acme: [bytes(32)]}, channel=Channel.SMS, at=UNTIL)

    veto, off = {"reason": "opted_out"}, {"on": False}
    assert records(otto) == [
        (1, "preference", "category:marketing", "sms", None, off),
        (2, "suppression", "", "sms", None, veto),
        (3, "preference", "category:marketing", "sms", off, None),
        (4, "suppression", "", "sms", veto, None),
    ]
    assert proving.chain_of(tenant_id=acme, recipient_id=otto).broken_at is None


@pytest.mark.parametrize("count", [1, 10, 1_000])
def test_any_number_of_people_opts_out_in_a_fixed_number_of_statements(acme, count):
    from apps.audience.models import Recipient

    people = Recipient.objects.bulk_create([Recipient(tenant_id=acme, user_id=f"u{n}") for n in range(count)])
    with counted() as statements:
        services.switch_off(
            {(acme, person.id, Channel.EMAIL) for person in people}, topic="category:marketing", source="receipt"
        )

    assert len(statements) == 6  # lock, read, set, latest records, new records, versions
    assert Recipient.objects.of(acme).filter(preferences_version=1).count() == count
    assert ConsentRecord.objects.of(acme).count() == count
