"""The wizard: four steps, and who may take them."""

from typing import Any
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.audience import models
from apps.core.types import Tenant
from tests.integration.admin_cast import acme, mira, viewer
from tests.integration.imports_cast import left_over, mapped, people, seen, taken, work

pytestmark = pytest.mark.django_db

FILE = "Kundennr,Mail,Vorname,Punkte\nu1,rosa@example.com,Rosa,12\nu2,nobody,Otto,1\nu3,bea@example.com,Bea,x\n"
PLACE = "/admin/audience/import"


@pytest.fixture
def tenant() -> Tenant:
    return acme()


def upload(client: Client, data: str = FILE, query: str = "") -> Any:
    return client.post(f"{PLACE}/add/{query}", {"file": SimpleUploadedFile("fair.csv", data.encode())})


def id_of(response: Any) -> UUID:
    assert response.status_code == 302, response.content[-3000:]
    return UUID(response["Location"].split("/")[-3])


def form(**more: str) -> dict[str, str]:
    """The second step as the page shows it for FILE."""
    fields = {
        "field-0": "user_id",
        "field-1": "email",
        "field-2": "attribute",
        "name-2": "first_name",
        "kind-2": "text",
    }
    return fields | {"field-3": "attribute", "name-3": "points", "kind-3": "number", "list": ""} | more


def test_four_steps_bring_people_in(tenant: Tenant) -> None:
    client = mira()
    page = client.get(f"{PLACE}/add/").content.decode()
    assert 'aria-current="step"' in page and "A file of people for Acme" in page
    import_id = id_of(upload(client))
    assert client.get(f"{PLACE}/{import_id}/change/")["Location"] == f"{PLACE}/{import_id}/map/"
    page = client.get(f"{PLACE}/{import_id}/map/").content.decode()
    assert "r***@example.com" in page and "rosa@" not in page
    assert '<option value="user_id" selected>' in page
    assert client.post(f"{PLACE}/{import_id}/map/", form(list="fair")).status_code == 302
    page = client.get(f"{PLACE}/{import_id}/change/").content.decode()
    assert f"/{import_id}/progress/?state=checking" in page
    assert client.get(f"{PLACE}/{import_id}/progress/?state=checking").headers.get("HX-Refresh") is None
    work()
    assert client.get(f"{PLACE}/{import_id}/progress/?state=checking")["HX-Refresh"] == "true"
    page = client.get(f"{PLACE}/{import_id}/change/").content.decode()
    assert "would be created" in page and "invalid_email" in page and "line 3" in page and "/progress/" not in page
    assert people(tenant) == {}
    assert client.post(f"{PLACE}/{import_id}/start/").status_code == 302
    work()
    page = client.get(f"{PLACE}/{import_id}/change/").content.decode()
    assert "Every row was written or refused." in page and "Import another file" in page
    assert people(tenant) == {"u1": ("", "", {"first_name": "Rosa", "points": 12})}
    assert models.SegmentMember.objects.of(tenant).filter(segment__key="fair").count() == 1
    row = models.Import.objects.of(tenant).get()
    assert (row.by, row.file_name, row.refused) == ("operator mira", "fair.csv", 2)
    csv = b"".join(client.get(f"{PLACE}/{import_id}/errors/").streaming_content).decode()
    assert "u2,nobody,Otto,1,3,Mail,invalid_email" in csv
    assert "fair.csv" in client.get(f"{PLACE}/").content.decode()


def test_a_file_that_cannot_be_read_is_refused_on_the_page(tenant: Tenant) -> None:
    response = upload(mira(), 'id,name\nu1,"never closed\n')
    assert response.status_code == 422
    assert "Line 2, column 1: A quote is opened here and never closed." in response.content.decode()
    assert not models.Import.objects.of(tenant).exists()
    assert not models.ImportChunk.objects.of(tenant).exists()


def test_columns_that_do_not_fit_are_shown_where_they_are(tenant: Tenant) -> None:
    client = mira()
    import_id = id_of(upload(client))
    response = client.post(
        f"{PLACE}/{import_id}/map/", form(**{"field-0": "ignore", "field-2": "email", "name-3": "no name"})
    )
    page = response.content.decode()
    assert response.status_code == 422
    assert "No column is mapped to `user_id`." in page
    assert "`email` is mapped twice." in page
    assert 'value="no name"' in page
    assert models.Import.objects.of(tenant).get().state == "uploaded"


def test_the_columns_can_be_changed_after_the_check_and_it_can_be_paused_and_cancelled(tenant: Tenant) -> None:
    client = mira()
    import_id = taken(tenant, FILE)
    mapped(tenant, import_id)
    assert client.get(f"{PLACE}/{import_id}/map/").status_code == 200
    client.post(f"{PLACE}/{import_id}/map/", form(**{"kind-3": "text"}))
    work()
    assert seen(tenant, import_id).refused == 1
    client.post(f"{PLACE}/{import_id}/start/")
    client.post(f"{PLACE}/{import_id}/pause/")
    assert "Go on" in client.get(f"{PLACE}/{import_id}/change/").content.decode()
    client.post(f"{PLACE}/{import_id}/cancel/")
    page = client.get(f"{PLACE}/{import_id}/change/").content.decode()
    assert "what was written before stays" in page and "Pause" not in page
    assert (people(tenant), left_over(import_id)) == ({}, (0, False))
    again = client.post(f"{PLACE}/{import_id}/start/", follow=True).content.decode()
    assert "Nobody can start it now" in again


def test_the_tenant_is_chosen_first_where_there_are_several(tenant: Tenant) -> None:
    other = acme("umbrella")
    client = mira()
    page = client.get(f"{PLACE}/add/").content.decode()
    assert "For which tenant?" in page and 'type="file"' not in page
    import_id = id_of(upload(client, query=f"?tenant={other.id}"))
    assert models.Import.objects.of(other).get().id == import_id
    assert "For which tenant?" in upload(client).content.decode()
    assert models.ImportChunk.objects.all_tenants().count() == 1


def test_who_may_only_look_changes_nothing(tenant: Tenant) -> None:
    import_id = taken(tenant, FILE)
    mapped(tenant, import_id)
    client = viewer("audience.view_import")
    page = client.get(f"{PLACE}/{import_id}/change/").content.decode()
    assert "Write them" not in page and "Download" not in page
    assert client.get(f"{PLACE}/add/").status_code == 403
    assert upload(client).status_code == 403
    for step in ("map", "start", "pause", "cancel"):
        assert client.post(f"{PLACE}/{import_id}/{step}/", form()).status_code == 403
    assert client.get(f"{PLACE}/{import_id}/errors/").status_code == 403
    assert seen(tenant, import_id).state == "checked"
    assert models.ImportChunk.objects.all_tenants().count() == 1


def test_a_form_without_its_token_stores_nothing(tenant: Tenant) -> None:
    client = mira()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert upload(strict).status_code == 403
    assert not models.Import.objects.of(tenant).exists()
    assert not models.ImportChunk.objects.of(tenant).exists()
    page = strict.get(f"{PLACE}/add/").content.decode()
    token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    data = {"csrfmiddlewaretoken": token, "file": SimpleUploadedFile("fair.csv", FILE.encode())}
    assert strict.post(f"{PLACE}/add/", data).status_code == 302
    assert models.ImportChunk.objects.of(tenant).count() == 1
