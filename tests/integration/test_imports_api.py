"""/v1/imports at the door."""

import gzip
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.audience import models
from apps.core.enums import KeyMode, Scope
from apps.core.types import Tenant
from apps.tenants.selectors import forget_cached
from apps.tenants.services import create_api_key, create_tenant
from tests.integration.imports_cast import people, work

pytestmark = pytest.mark.django_db

FILE = "id,mail,Vorname\nu1,rosa@example.com,Rosa\nu2,nobody,Otto\n"


class Api:
    def __init__(self, slug: str, *scopes: Scope) -> None:
        forget_cached()
        self.tenant: Tenant = create_tenant(slug=slug, name=slug)
        self._key = create_api_key(
            tenant=self.tenant, name="loader", mode=KeyMode.LIVE, scopes=scopes or [Scope.USERS_WRITE]
        )

    def __call__(self, method: str, path: str, body: Any = b"", kind: str = "text/csv") -> Any:
        headers = {"Authorization": f"Bearer {self._key.token}"}
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        return Client().generic(method, f"/v1{path}", data, content_type=kind, headers=headers)

    def form(self, **fields: Any) -> Any:
        headers = {"Authorization": f"Bearer {self._key.token}"}
        return Client().post("/v1/imports", fields, headers=headers)


@pytest.fixture
def acme() -> Api:
    return Api("acme")


def nothing_is_stored() -> bool:
    return not models.Import.objects.all_tenants().exists() and not models.ImportChunk.objects.all_tenants().exists()


def test_a_file_is_taken_checked_started_and_written(acme: Api) -> None:
    made = acme("POST", "/imports?file_name=fair.csv", FILE)
    assert made.status_code == 201
    shown = made.json()
    assert (shown["state"], shown["file_name"], shown["by"]) == ("checking", "fair.csv", "key loader")
    assert shown["mapping"] == {"id": "user_id", "mail": "email", "Vorname": "attributes.vorname"}
    work()
    found = acme("GET", f"/imports/{shown['id']}").json()
    assert (found["state"], found["rows"], found["refused"], found["to_create"]) == ("checked", 2, 1, 1)
    assert people(acme.tenant) == {}
    errors = acme("GET", f"/imports/{shown['id']}/errors")
    assert errors["Content-Disposition"] == f'attachment; filename="{shown["id"]}-errors.csv"'
    lines = b"".join(errors.streaming_content).decode("utf-8-sig").splitlines()
    assert lines[0] == "id,mail,Vorname,line,column,code,detail"
    assert lines[1].startswith("u2,nobody,Otto,3,mail,invalid_email,")
    assert acme("POST", f"/imports/{shown['id']}/start").json()["state"] == "running"
    work()
    found = acme("GET", f"/imports/{shown['id']}").json()
    assert (found["state"], found["created"], found["refused"], found["added_addresses"]) == ("finished", 1, 1, 1)
    assert people(acme.tenant) == {"u1": ("", "", {"vorname": "Rosa"})}
    assert [one["id"] for one in acme("GET", "/imports").json()["data"]] == [shown["id"]]


def test_a_form_and_a_gzip_body_are_files_too(acme: Api) -> None:
    made = acme.form(file=SimpleUploadedFile("people.csv", FILE.encode()))
    assert (made.status_code, made.json()["file_name"]) == (201, "people.csv")
    made = acme("POST", "/imports?start=true&list=fair", gzip.compress(FILE.encode()), "application/gzip")
    assert (made.status_code, made.json()["list"]) == (201, "fair")
    work()
    assert [one["state"] for one in acme("GET", "/imports").json()["data"]] == ["finished", "checked"]
    members = models.SegmentMember.objects.of(acme.tenant).values_list("segment__key", "recipient__user_id")
    assert list(members) == [("fair", "u1")]


def test_another_mapping_is_checked_anew(acme: Api) -> None:
    import_id = acme("POST", "/imports", FILE).json()["id"]
    work()
    body = {"mapping": {"id": "user_id", "mail": "attributes.mail"}, "start": True}
    assert acme("PATCH", f"/imports/{import_id}", body, "application/json").json()["state"] == "checking"
    work()
    assert people(acme.tenant) == {
        "u1": ("", "", {"mail": "rosa@example.com"}),
        "u2": ("", "", {"mail": "nobody"}),
    }


@pytest.mark.parametrize(
    ("body", "line", "column", "says"),
    [
        (b"\n", 1, 1, "no header"),
        (b"id,,mail\n", 1, 2, "no name"),
        (b"id,mail,id\n", 1, 3, "Two columns are called `id`"),
        (b"id,name\nu1,\xc3\xbc\nu2,ab\xff\n", 3, 6, "not UTF-8"),
        (b"id,name\nu1,a\x00b\n", 2, 5, "NUL"),
        (b"id,name\nu1," + b"x" * 1_200_000, 2, 1, "longer than 1 MiB"),
        (gzip.compress(FILE.encode(), mtime=0)[:-9], 1, 1, "ends too early"),
        (b'id,name\nu1,"a\nb"\nu2,"never\nclosed\n', 4, 1, "never closed"),
        (b'id,name\nu1,"a"b\n', 2, 1, "expected after"),
        (b"\x1f\x8bnot gzip", 1, 1, "damaged"),
    ],
)
@pytest.mark.parametrize("is_form", [False, True])
def test_it_refuses_a_file_with_line_and_column(
    acme: Api, body: bytes, line: int, column: int, says: str, is_form: bool
) -> None:
    answer = acme.form(file=SimpleUploadedFile("a.csv", body)) if is_form else acme("POST", "/imports", body)
    said = answer.json()
    assert (answer.status_code, said["code"]) == (400, "invalid_csv"), said
    assert (said["errors"][0]["line"], said["errors"][0]["column"]) == (line, column)
    assert says in said["detail"]
    assert nothing_is_stored()


@pytest.mark.parametrize(
    ("query", "body", "code"),
    [
        ("?mapping={", FILE, "invalid_mapping"),
        ('?mapping={"nope":"user_id"}', FILE, "invalid_mapping"),
        ('?mapping={"id":"user_id","mail":"user_id"}', FILE, "invalid_mapping"),
        ('?mapping={"mail":"email"}', FILE, "invalid_mapping"),
        ("", "mail,first\nrosa@example.com,Rosa\n", "invalid_mapping"),
        ("?list=no%20key", FILE, "out_of_range"),
    ],
)
def test_a_refused_request_leaves_nothing(acme: Api, query: str, body: str, code: str) -> None:
    answer = acme("POST", f"/imports{query}", body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert nothing_is_stored()


def test_an_open_quote_fails_with_the_line_where_it_was_opened(acme: Api) -> None:
    rows = "".join(f"u{n},x\n" for n in range(100))
    import_id = acme("POST", "/imports?start=true", f'id,name\n{rows}u100,"a\nb"\nu2,"never\nclosed\n').json()["id"]
    work()
    said = acme("GET", f"/imports/{import_id}").json()
    assert (said["state"], said["error"]) == (
        "failed", "Line 104, column 1: A quote is opened here and never closed.",
    )  # fmt: skip
    assert people(acme.tenant) == {}
    assert not models.ImportChunk.objects.all_tenants().exists()


def test_long_lines_are_read_a_few_at_a_time(acme: Api) -> None:
    """And a cell that no CSV reader would take is refused with its line."""
    rows = "".join(f"u{n},{'x' * 3_000}\n" for n in range(2_000))
    first = acme("POST", "/imports?start=true", f"id,note\n{rows}").json()["id"]
    second = acme("POST", "/imports?start=true", f"id,note\n{rows}v,{'y' * 140_000}\n").json()["id"]
    work()
    assert acme("GET", f"/imports/{first}").json()["created"] == 2_000
    assert (
        acme("GET", f"/imports/{second}")
        .json()["error"]
        .startswith("Line 2002, column 1: A cell has more than 131,072")
    )


def test_other_bodies_keys_and_tenants_are_refused(acme: Api) -> None:
    assert acme("POST", "/imports", "{}", "application/json").status_code == 415
    assert Api("reader", Scope.NOTIFICATIONS_READ)("POST", "/imports", FILE).status_code == 403
    assert nothing_is_stored()
    import_id = acme("POST", "/imports", FILE).json()["id"]
    other = Api("other")
    for method, path in (("GET", ""), ("GET", "/errors"), ("POST", "/start"), ("POST", "/pause"), ("POST", "/cancel")):
        assert other(method, f"/imports/{import_id}{path}").status_code == 404
    assert other("GET", "/imports").json()["data"] == []
    assert acme("POST", f"/imports/{import_id}/pause").status_code == 409
    assert acme("GET", "/imports/imp_nonsense").status_code == 404
