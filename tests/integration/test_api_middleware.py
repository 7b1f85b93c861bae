"""The API carries keys, never cookies: sessions and CSRF tokens are for pages."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_the_api_gives_and_asks_for_no_cookie() -> None:
    answer = Client(enforce_csrf_checks=True).post("/v1/notifications", {}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert not answer.cookies
    assert answer["X-Request-Id"].startswith("req_")
    assert answer["X-Frame-Options"] == "DENY"


def test_pages_ask_for_a_csrf_token() -> None:
    assert Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "a", "password": "b"}).status_code == 403
