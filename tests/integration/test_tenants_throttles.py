"""How much a caller may, and what the answers say about it."""

from typing import Any
from uuid import UUID

import pytest
from django.test import Client, override_settings
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import buckets, redis
from apps.core.enums import KeyMode, Scope
from apps.core.types import Tenant
from apps.tenants import models, selectors, services
from apps.tenants.throttles import charge

pytestmark = pytest.mark.django_db


class One(APIView):
    scopes = {"GET": Scope.ADMIN}

    def get(self, request: Request) -> Response:
        return Response({})


class Batch(One):
    throttle_cost = "deferred"

    def get(self, request: Request) -> Response:
        charge(request, int(request.query_params["cost"]))
        return Response({})


class Urls:
    urlpatterns = [path("one", One.as_view()), path("batch", Batch.as_view())]


@pytest.fixture(autouse=True)
def doors() -> Any:
    selectors.forget_cached()
    buckets._rest_until = 0.0
    with override_settings(ROOT_URLCONF=Urls):
        yield


def tenant_with_key(slug: str, rate: int, burst: int, *, tenant_burst: int = 1000) -> tuple[Tenant, str]:
    tenant = services.create_tenant(slug=slug, name=slug)
    models.Tenant.objects.filter(id=tenant.id).update(rate_per_second=1, rate_burst=tenant_burst)
    key = services.create_api_key(
        tenant=tenant, name="a key", mode=KeyMode.TEST, scopes=[Scope.ADMIN], rate_per_second=rate, rate_burst=burst
    )
    return tenant, key.token


def call(token: str, where: str = "/one") -> Any:
    return Client().get(where, headers={"Authorization": f"Bearer {token}"})


def test_every_answer_says_what_is_left() -> None:
    _, token = tenant_with_key("acme", 10, 25)
    first, second = call(token), call(token)
    assert first["RateLimit-Policy"] == second["RateLimit-Policy"] == '"key";q=25;w=3'
    assert first["RateLimit"] == '"key";r=24;t=1'
    assert second["RateLimit"] == '"key";r=23;t=1'
    assert "Retry-After" not in first


def test_too_many_are_refused_with_the_seconds_to_wait() -> None:
    _, token = tenant_with_key("acme", 1, 2)
    assert [call(token).status_code for _ in range(2)] == [200, 200]
    refused = call(token)
    assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
    assert refused["Content-Type"] == "application/problem+json"
    assert refused["Retry-After"] == "1"
    assert refused["RateLimit"] == '"key";r=0;t=2'
    assert refused["RateLimit-Policy"] == '"key";q=2;w=2'


def test_one_tenant_does_not_use_up_anothers() -> None:
    _, acme = tenant_with_key("acme", 1, 2)
    _, globex = tenant_with_key("globex", 1, 2)
    assert [call(acme).status_code for _ in range(3)] == [200, 200, 429]
    assert [call(globex).status_code for _ in range(3)] == [200, 200, 429]


def test_keys_of_a_tenant_share_its_limit() -> None:
    tenant, first = tenant_with_key("acme", 100, 100, tenant_burst=3)
    second = services.create_api_key(tenant=tenant, name="other", mode=KeyMode.TEST, scopes=[Scope.ADMIN]).token
    assert [call(token).status_code for token in (first, second, first, second, first)] == [200, 200, 200, 429, 429]
    refused = call(first)
    assert refused["RateLimit-Policy"] == '"key";q=100;w=1, "tenant";q=3;w=3'
    assert refused["RateLimit"].endswith(', "tenant";r=0;t=3')


def test_a_batch_costs_what_it_carries_and_nothing_before() -> None:
    _, token = tenant_with_key("acme", 1, 100)
    assert call(token, "/batch?cost=60")["RateLimit"] == '"key";r=40;t=60'
    refused = call(token, "/batch?cost=50")
    assert (refused.status_code, refused["Retry-After"], refused["RateLimit"]) == (429, "10", '"key";r=40;t=60')
    assert refused.json()["detail"] == "This needs 50 of the rate limit; enough is free again in 10 s."
    assert call(token, "/batch?cost=40").status_code == 200


def test_an_unknown_caller_is_not_counted() -> None:
    answer = Client().get("/one")
    assert answer.status_code == 401
    assert "RateLimit" not in answer


def test_it_counts_without_redis_too(monkeypatch: pytest.MonkeyPatch) -> None:
    _, token = tenant_with_key("acme", 1, 2)
    monkeypatch.setattr(buckets, "_script", lambda: _raise)
    assert [call(token).status_code for _ in range(3)] == [200, 200, 429]


def test_both_buckets_live_in_one_slot_of_a_cluster() -> None:
    tenant, token = tenant_with_key("acme", 1, 2)
    call(token)
    keys = sorted(key.decode() for key in redis.quick().scan_iter(f"rate:{{{tenant.id}}}*"))
    assert keys[0] == f"rate:{{{tenant.id}}}"
    assert UUID(keys[1].removeprefix(keys[0] + ":"))


def _raise(**_: Any) -> None:
    raise redis.RedisError("gone")
