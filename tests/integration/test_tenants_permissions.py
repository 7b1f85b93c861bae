"""What a key may do, and the check that every view says so."""

from typing import Any

import pytest
from django.test import Client, override_settings
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.enums import KeyMode, Scope
from apps.core.types import Tenant
from apps.tenants import selectors, services
from apps.tenants.checks import views_name_their_scopes


class Said(APIView):
    scopes = {"GET": Scope.OPERATOR}

    def get(self, request: Request) -> Response:
        return Response({"hello": "world"})


class Silent(APIView):
    def get(self, request: Request) -> Response:
        raise AssertionError("never reached")


class Wrong(Said):
    scopes = {"GET": Scope.OPERATOR, "PATCH": Scope.ADMIN}


class Misspelt(Said):
    scopes = {"GET": "operator"}  # type: ignore[dict-item]


class Open(Silent):
    permission_classes = []


class Urls:
    urlpatterns = [path("said", Said.as_view()), path("silent", Silent.as_view()), path("open", Open.as_view())]


@pytest.fixture
def acme(db: None) -> Tenant:
    selectors.forget_cached()
    return services.create_tenant(slug="acme", name="Acme")


def call(tenant: Tenant, where: str, *scopes: Scope, method: str = "GET") -> Any:
    key = services.create_api_key(tenant=tenant, name="a key", mode=KeyMode.TEST, scopes=scopes)
    with override_settings(ROOT_URLCONF=Urls):
        return Client().generic(method, where, headers={"Authorization": f"Bearer {key.token}"})


def test_it_lets_the_scope_pass(acme: Tenant) -> None:
    assert call(acme, "/said", Scope.OPERATOR).json() == {"hello": "world"}
    assert call(acme, "/said", Scope.ADMIN).status_code == 200
    assert call(acme, "/said", Scope.OPERATOR, method="HEAD").status_code == 200


def test_it_refuses_other_scopes_and_names_the_one_that_is_needed(acme: Tenant) -> None:
    answer = call(acme, "/said", Scope.NOTIFICATIONS_READ, Scope.USERS_WRITE)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert answer.json()["detail"] == "This needs a key with the scope `operator`."


def test_it_refuses_a_method_whose_scope_is_not_named(acme: Tenant) -> None:
    assert call(acme, "/silent", Scope.ADMIN).status_code == 403


def test_a_method_that_is_not_there_is_not_allowed(acme: Tenant) -> None:
    answer = call(acme, "/said", Scope.OPERATOR, method="DELETE")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer["Allow"] == "GET, HEAD, OPTIONS"


def test_every_view_of_the_project_names_its_scopes() -> None:
    assert views_name_their_scopes() == []


@pytest.mark.parametrize(
    ("view", "found"),
    [
        (Said, []),
        (Open, []),
        (Silent, ["tenants.E001"]),
        (Wrong, ["tenants.E002"]),
        (Misspelt, ["tenants.E002"]),
    ],
)
def test_the_check_reports_views_without_scopes(view: type[APIView], found: list[str]) -> None:
    urls = type("Urls", (), {"urlpatterns": [path("v1/", ([path("x", view.as_view())], "app", "space"))]})
    with override_settings(ROOT_URLCONF=urls):
        messages = views_name_their_scopes()
    assert [message.id for message in messages] == found
    assert all(message.hint for message in messages)
