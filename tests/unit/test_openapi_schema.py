"""The schema: complete, valid, and the same conventions at every door."""

import json
import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.core.management import call_command
from django.urls import path
from drf_spectacular.drainage import GENERATOR_STATS, reset_generator_stats
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.bodies import Answer, Body
from apps.core.code_samples import curl
from apps.core.openapi import _TAGS, struct_schemas


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Fails on any warning of the generator, and on what is no valid OpenAPI 3.1."""
    where: Path = tmp_path_factory.mktemp("schema") / "openapi.json"
    call_command("spectacular", "--fail-on-warn", "--validate", "--format", "openapi-json", "--file", str(where))
    return json.loads(where.read_text())


def operations(schema: Any) -> list[tuple[str, str, Any]]:
    return [(method, where, found) for where, item in schema["paths"].items() for method, found in item.items()]


def test_it_is_openapi_3_1_with_unique_names_and_known_tags(schema: Any) -> None:
    found = operations(schema)
    assert schema["openapi"].startswith("3.1")
    assert len({operation["operationId"] for _, _, operation in found}) == len(found) > 10
    assert [where for _, where, operation in found if not operation.get("summary")] == []
    assert {tag for _, _, operation in found for tag in operation["tags"]} <= set(_TAGS)
    assert [tag["name"] for tag in schema["tags"]] == list(_TAGS)


def test_no_docstring_of_the_code_is_shown(schema: Any) -> None:
    texts = [operation.get("description", "") for _, _, operation in operations(schema)]
    assert [text for text in texts if "Base of" in text or "`request.user`" in text] == []


def test_every_operation_names_the_problems_that_can_be(schema: Any) -> None:
    for method, where, operation in operations(schema):
        expected = {"401", "403", "429", "500", "503"}
        if "requestBody" in operation:
            expected |= {"400", "413", "415"}
        assert expected <= operation["responses"].keys(), (method, where)
    problem = schema["components"]["responses"]["Problem429"]
    assert problem["content"] == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    assert problem["headers"].keys() == {"X-Request-Id", "Retry-After"}


def test_problems_are_never_plain_json(schema: Any) -> None:
    for method, where, operation in operations(schema):
        for status, response in operation["responses"].items():
            if status >= "400" and "content" in response:
                assert list(response["content"]) == ["application/problem+json"], (method, where, status)


def test_every_answer_has_its_headers(schema: Any) -> None:
    responses = schema["paths"]["/v1/users/{user_id}"]["put"]["responses"]
    assert responses["200"]["headers"].keys() == {"X-Request-Id", "RateLimit-Policy", "RateLimit"}
    assert sorted(responses) == ["200", "201", "400", "401", "403", "413", "415", "429", "500", "503"]
    assert schema["components"]["headers"].keys() >= {"X-Request-Id", "RateLimit-Policy", "RateLimit", "Retry-After"}


def test_every_reference_leads_somewhere(schema: Any) -> None:
    def references(value: Any) -> Any:
        if isinstance(value, dict):
            yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    for reference in set(references(schema)):
        found = schema
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def test_every_operation_has_a_curl_that_a_shell_understands(schema: Any) -> None:
    for method, where, operation in operations(schema):
        (sample,) = operation["x-codeSamples"]
        words = shlex.split(sample["source"].replace("\\\n", ""))
        assert words[:2] == ["curl", "--silent"], (method, where)
        assert "{" not in next(word for word in words if word.startswith("$NOTIFIER_URL"))
        if "--data" in words:
            json.loads(words[words.index("--data") + 1])
    put = schema["paths"]["/v1/event-types/{key}"]["put"]["x-codeSamples"][0]["source"]
    assert put.startswith(
        'curl --silent -X PUT "$NOTIFIER_URL/v1/event-types/order.shipped" \\\n  -H "Authorization: Bearer'
    )


def test_the_api_key_is_the_way_in(schema: Any) -> None:
    assert schema["components"]["securitySchemes"]["ApiKey"]["scheme"] == "bearer"
    assert schema["paths"]["/v1/users/{user_id}"]["get"]["security"] == [{"ApiKey": []}]


class Inner(Answer):
    number: int


class Outer(Answer):
    inner: Inner
    anything: dict[str, object]


class Given(Body, frozen=True):
    name: str = ""


class Keyed(APIView):
    """A docstring for those who read the code."""

    takes_idempotency_key = True

    @extend_schema(operation_id="keyed", request=Given, responses={202: Outer | Inner})
    def post(self, request: Request) -> Response:
        raise AssertionError

    @extend_schema(operation_id="unkeyed", request=Given, responses={204: None})
    def delete(self, request: Request) -> Response:
        raise AssertionError


def generated(*views: tuple[str, type[APIView]]) -> Any:
    reset_generator_stats()
    patterns = [path(where, view.as_view()) for where, view in views]
    return SchemaGenerator(patterns=patterns).get_schema(request=None, public=True)


def test_structs_become_components() -> None:
    assert struct_schemas(Outer)["Outer"]["properties"]["inner"] == {"$ref": "#/components/schemas/Inner"}
    assert struct_schemas(Outer)["Outer"]["properties"]["anything"] == {
        "type": "object",
        "additionalProperties": {"description": "Any JSON value."},
    }
    assert struct_schemas(Given)["Given"]["additionalProperties"] is False


def test_a_view_may_take_an_idempotency_key_answer_one_of_two_and_have_a_body_in_a_delete() -> None:
    found = generated(("v1/keyed", Keyed))["paths"]["/v1/keyed"]
    assert "description" not in found["post"]
    assert [parameter["name"] for parameter in found["post"]["parameters"]] == ["Idempotency-Key"]
    assert "Idempotent-Replayed" in found["post"]["responses"]["202"]["headers"]
    assert found["post"]["responses"]["202"]["content"]["application/json"]["schema"] == {
        "oneOf": [{"$ref": "#/components/schemas/Outer"}, {"$ref": "#/components/schemas/Inner"}]
    }
    assert "parameters" not in found["delete"]
    assert found["delete"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/Given")
    assert not GENERATOR_STATS


def test_two_structs_of_one_name_are_reported() -> None:
    other = msgspec.defstruct("Inner", [("text", str)])

    class Other(APIView):
        @extend_schema(operation_id="other", responses={200: other})
        def get(self, request: Request) -> Response:
            raise AssertionError

    generated(("v1/keyed", Keyed), ("v1/other", Other))
    assert any("Two different structs are called Inner" in warning for warning in GENERATOR_STATS._warn_cache)
    reset_generator_stats()


def test_a_curl_shows_the_smallest_body_that_fits() -> None:
    schema = {
        "type": "object",
        "required": ["id", "kind", "tags", "count"],
        "properties": {
            "id": {"type": "string", "examples": ["it's"]},
            "kind": {"enum": ["a", "b"]},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "count": {"anyOf": [{"type": "integer", "minimum": 3}, {"type": "null"}]},
            "optional": {"type": "string"},
        },
    }
    operation = {
        "security": [{"ApiKey": []}],
        "parameters": [{"in": "path", "name": "id", "schema": {"type": "string", "examples": ["a b"]}}],
        "requestBody": {"content": {"application/json": {"schema": schema}}},
    }
    assert shlex.split(curl({}, "/v1/x/{id}", "post", operation).replace("\\\n", "")) == [
        "curl", "--silent", "-X", "POST", "$NOTIFIER_URL/v1/x/a%20b",
        "-H", "Authorization: Bearer $NOTIFIER_KEY", "-H", "Content-Type: application/json",
        "--data", '{"id": "it\'s", "kind": "a", "tags": ["tags"], "count": 3}',
    ]  # fmt: skip
