"""A file on its way to people: what is written, what is refused, what is left behind."""

import gzip
from uuid import UUID

import pytest

from apps.audience import models
from apps.audience.addresses import email_address
from apps.audience.selectors import endpoints_of, recipient_ids
from apps.audience.services import retire_endpoints, upsert_recipients
from apps.core import clock, ids
from apps.core.types import InlineRecipient, Tenant
from tests.integration.admin_cast import acme
from tests.integration.imports_cast import brought, left_over, mapped, people, refused, taken

pytestmark = pytest.mark.django_db

FILE = """Kundennummer;E-Mail;Handy;Sprache;Zeitzone;Vorname;Punkte;Newsletter;Seit
u1;Rosa@Example.COM;+49 30 1234567;de-ch;Europe/Zurich;Rosa;12;ja;21.11.2026
u2;otto@example.com;;;;Otto;3,5;nein;
u3;;;en;;"Bea
Zwei";;;2026-01-02
"""


@pytest.fixture
def tenant() -> Tenant:
    return acme()


def known_as(tenant: Tenant, user_id: str) -> list[str]:
    recipient_id = recipient_ids(tenant.id, [user_id])[user_id]
    return sorted(endpoint.address for endpoint in endpoints_of([recipient_id]).get(recipient_id, ()))


def id_of(text: str) -> UUID:
    found = ids.read(ids.IMPORT, text)
    assert found is not None
    return found


def test_it_writes_a_file_with_its_guessed_columns(tenant: Tenant) -> None:
    said = brought(tenant, FILE)
    assert (said.state, said.rows, said.refused, said.created, said.changed, said.added_addresses) == (
        "finished", 3, 0, 3, 0, 3,
    )  # fmt: skip
    assert people(tenant) == {
        "u1": ("de-CH", "Europe/Zurich", {"vorname": "Rosa", "punkte": 12, "newsletter": True, "seit": "2026-11-21"}),
        "u2": ("", "", {"vorname": "Otto", "punkte": 3.5, "newsletter": False}),
        "u3": ("en", "", {"vorname": "Bea\nZwei", "seit": "2026-01-02"}),
    }
    assert known_as(tenant, "u1") == ["+49301234567", "Rosa@example.com"]
    assert known_as(tenant, "u2") == ["otto@example.com"]
    assert left_over(id_of(said.id)) == (0, False)


def test_its_rows_are_the_same_as_the_api_s(tenant: Tenant) -> None:
    """Found by the same hash, with the same mask, verified: the API adds nothing to what a file brought."""
    brought(tenant, FILE)
    before = list(models.Endpoint.objects.of(tenant).order_by("id").values())
    inline = InlineRecipient(user_id="u1", addresses=(email_address("Rosa@example.com", ""),))
    upsert_recipients(tenant=tenant, inline=[inline])
    assert list(models.Endpoint.objects.of(tenant).order_by("id").values()) == before
    row = models.Endpoint.objects.of(tenant).get(masked="R***@example.com")
    assert (row.channel, row.kind, row.verified_at is not None, row.retired_at) == ("email", "email", True, None)


def test_what_is_empty_changes_nothing_and_attributes_are_merged(tenant: Tenant) -> None:
    brought(tenant, FILE)
    said = brought(tenant, "user_id,locale,timezone,email,vorname,stadt\nu1,,UTC,,,Bern\nu2,,,otto@example.com,Otto,\n")
    assert (said.to_create, said.to_change, said.created, said.changed, said.added_addresses) == (0, 1, 0, 1, 0)
    assert people(tenant)["u1"] == (
        "de-CH", "UTC", {"vorname": "Rosa", "punkte": 12, "newsletter": True, "seit": "2026-11-21", "stadt": "Bern"},
    )  # fmt: skip
    assert people(tenant)["u2"] == ("", "", {"vorname": "Otto", "punkte": 3.5, "newsletter": False})


def test_the_same_file_again_changes_nobody(tenant: Tenant) -> None:
    brought(tenant, FILE)
    before = list(models.Recipient.objects.of(tenant).order_by("id").values())
    said = brought(tenant, FILE)
    assert (said.to_create, said.to_change, said.created, said.changed, said.added_addresses) == (0, 0, 0, 0, 0)
    assert list(models.Recipient.objects.of(tenant).order_by("id").values()) == before


def test_it_does_not_bring_back_what_the_network_refused(tenant: Tenant) -> None:
    brought(tenant, FILE)
    endpoint = models.Endpoint.objects.of(tenant).get(masked="o***@example.com")
    retire_endpoints(dead={endpoint.id: None}, reason="hard_bounce", now=clock.now())
    brought(tenant, FILE)
    endpoint.refresh_from_db()
    assert endpoint.retired_reason == "hard_bounce"
    assert models.Endpoint.objects.of(tenant).count() == 3


def test_a_person_named_twice_is_one_person_and_later_lines_win(tenant: Tenant) -> None:
    rows = "user_id,email,locale,a,b\nx,one@example.com,de,1,first\ny,,,5,\nx,two@example.com,,2,\nx,one@example.com,fr,,last\n"
    said = brought(tenant, rows)
    assert (said.rows, said.doubled, said.created, said.added_addresses) == (4, 2, 2, 2)
    assert people(tenant) == {"x": ("fr", "", {"a": 2, "b": "last"}), "y": ("", "", {"a": 5})}
    assert known_as(tenant, "x") == ["one@example.com", "two@example.com"]


def test_it_refuses_rows_and_says_why_and_where(tenant: Tenant) -> None:
    mapping = {
        "id": "user_id",
        "mail": "email",
        "tel": "phone",
        "lang": "locale",
        "zone": "timezone",
        "n": "attributes.n:number",
    }
    rows = 'id,mail,tel,lang,zone,n\na,nobody,,,,\n,x@example.com,,,,\nb,,123,xx-yy,CEST,"1,234"\nc,,\n=d,=1+1@,,,,\n\nok,,,,,1\n'
    said = brought(tenant, rows, mapping)
    assert (said.rows, said.refused, said.created, list(people(tenant))) == (6, 5, 1, ["ok"])
    found = refused(tenant, id_of(said.id), said.columns)
    assert [(row["line"], row["column"], row["code"]) for row in found] == [
        ("2", "mail", "invalid_email"),
        ("3", "id", "missing_field"),
        ("4", "lang; zone; n; tel", "invalid_locale; invalid_timezone; wrong_type; invalid_phone"),
        ("5", "", "invalid_csv"),
        ("6", "mail", "invalid_email"),
    ]
    assert (found[1]["mail"], found[4]["id"], found[4]["mail"]) == ("x@example.com", "'=d", "'=1+1@")
    assert "thousands" in found[2]["detail"]


def test_no_address_is_readable_in_the_database_while_it_waits(tenant: Tenant) -> None:
    import_id = taken(tenant, FILE + "bad;nobody@@example;;;;;;;\n")
    mapped(tenant, import_id)
    from django.db import connection

    kept = [f"audience_staged_{import_id.hex}", "audience_importchunk", "audience_importfault", "audience_import"]
    with connection.cursor() as cursor:
        for table in kept:
            cursor.execute(f"SELECT count(*), string_agg(t::text, ' ') FROM {table} t")
            count, text = cursor.fetchone()
            assert count
            assert "otto@" not in text and "1234567" not in text and "nobody" not in text
            assert b"otto@".hex() not in text


def test_everybody_is_put_on_the_list(tenant: Tenant) -> None:
    segment = models.Segment.objects.create(tenant_id=tenant.id, key="fair", name="Fair", kind="list")
    upsert_recipients(tenant=tenant, inline=[InlineRecipient(user_id="u2"), InlineRecipient(user_id="other")])
    said = brought(tenant, FILE, list_id=segment.id)
    members = models.SegmentMember.objects.of(tenant).filter(segment=segment)
    assert set(members.values_list("recipient__user_id", flat=True)) == {"u1", "u2", "u3"}
    assert (said.list, said.created) == ("fair", 2)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("﻿id;name\nu1;Zoë\n".encode(), "utf-8-sig"),
        ("id\tname\nu1\tZoë\n".encode("utf-16"), "utf-16"),
        ("id|name\nu1|Zoë\n".encode("utf-16-le") * 1, "utf-16-le"),
        ("id,name\r\nu1,Zoë\r\n".encode("latin-1"), "cp1252"),
        ("sep=;\r\nid;name\r\nu1;Zoë\r\n".encode(), "utf-8"),
        (gzip.compress("id,name\nu1,Zoë".encode(), mtime=0), "utf-8"),
        (gzip.compress(b"id,name\n", mtime=0) + gzip.compress("u1,Zoë\n".encode(), mtime=0), "utf-8"),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_it_reads(tenant: Tenant, data: bytes, encoding: str, step: int) -> None:
    import_id = taken(tenant, data, step=step)
    said = mapped(tenant, import_id, may_run=True)
    assert (said.encoding, said.state) == (encoding, "finished")
    assert people(tenant) == {"u1": ("", "", {"name": "Zoë"})}
