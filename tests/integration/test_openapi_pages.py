"""The documentation's pages and the health check."""

import json
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.db import OperationalError, connection
from django.test import Client

from apps.core.problem_codes import Code

PAGES = ["/docs", "/docs/", "/docs/try", "/docs/try/", "/docs/errors", "/docs/errors/"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_nothing_from_elsewhere_and_runs_no_inline_script(client: Client, page: str) -> None:
    answer = client.get(page)
    assert answer.status_code == 200
    html = answer.content.decode()
    for link in re.findall(r'(?:src|href)="([^"]+)"', html):
        assert link.startswith(("/", "#", "data:")), link
        if link.startswith("/static/"):
            assert finders.find(link.removeprefix("/static/")), link
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert "<style" not in html
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "http" not in policy


def test_every_code_has_its_place_on_the_errors_page(client: Client) -> None:
    html = client.get("/docs/errors").content.decode()
    assert re.findall(r'<article id="([^"]+)"', html) == sorted(Code, key=lambda code: (code.status, code.value))
    assert "Wait as long as <code>Retry-After</code> says, or use the batch endpoint." in html
    assert "`" not in html
    assert "&lt;" not in html


def test_a_problem_links_to_its_place(client: Client) -> None:
    problem = client.get("/v1/event-types").json()
    page, _, anchor = problem["type"].removeprefix("http://testserver").partition("#")
    assert f'id="{anchor}"' in client.get(page).content.decode()


def test_the_schema_is_served_as_json_and_yaml(client: Client) -> None:
    as_json = client.get("/v1/openapi.json")
    assert as_json["Content-Type"] == "application/json"
    assert "/v1/users/{user_id}" in json.loads(as_json.content)["paths"]
    as_yaml = client.get("/v1/openapi.yaml")
    assert as_yaml.content.startswith(b"openapi: 3.1")


def test_what_is_not_there_is_a_problem_under_v1_only(client: Client) -> None:
    answer = client.get("/v1/nothing")
    assert (answer.status_code, answer["Content-Type"], answer.json()["code"]) == (
        404,
        "application/problem+json",
        "not_found",
    )
    assert client.get("/nothing")["Content-Type"].startswith("text/html")


def test_pages_only_answer_questions(client: Client) -> None:
    for page in (*PAGES, "/healthz", "/v1/openapi.json"):
        assert client.post(page).status_code == 405
        assert client.head(page).status_code == 200 if page != "/healthz" else True


@pytest.mark.django_db
def test_it_is_healthy_while_the_database_answers(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db
def test_it_is_not_healthy_without_a_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection, "cursor", gone)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable", "missing": "database"})


def test_the_scripts_of_the_pages_name_no_other_host() -> None:
    for name in ("reference.js", "explorer.js", "docs.css"):
        text = Path(str(finders.find(f"core/{name}"))).read_text()
        assert "//" not in text.replace("img[src*=", ""), name
