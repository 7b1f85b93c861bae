"""The schema of the API, from the doors themselves: structs as components, and the conventions that hold everywhere.

A view class with `takes_idempotency_key = True` documents that header on its POST.
"""

from functools import cache
from types import UnionType
from typing import Any

import msgspec
from drf_spectacular.drainage import warn
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentIdentity, ResolvedComponent
from drf_spectacular.utils import OpenApiParameter

from apps.core.code_samples import curl
from apps.core.problems import MEDIA_TYPE, ProblemBody

Json = dict[str, Any]

_REF = "#/components/schemas/{name}"
_PROBLEMS = {
    "400": "The request is not valid.",
    "401": "The API key is missing or not valid.",
    "403": "The key may not do this.",
    "404": "There is no such thing.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "429": "Too many requests.",
    "500": "Something broke on our side.",
    "503": "The service cannot accept this right now; nothing was stored.",
}
_TAGS = {
    "Notifications": "Send, schedule, cancel, and see what became of it.",
    "Users": "The people of your product and where they are reached.",
    "Imports": "Files of people: taken in, checked as a whole, written, and what was refused.",
    "Segments": "Who is meant: by rules, or by list; how many they are, and how many of them are reached.",
    "Preferences": "What a person chose, what holds, and what your tenant lays down.",
    "Event types": "What can happen, and what follows from it by default.",
    "Templates": "What messages say, per channel and locale, in versions.",
    "Inbox": "The in-app feed, for a browser with a recipient token.",
    "Suppressions": "Addresses that must not be used.",
    "Campaigns": "One message to many: made, checked, launched, watched, stopped; what it costs.",
    "Schedules": "What is sent later, once or again, on one clock or on everybody's own; what became of each time.",
    "Webhooks": "Who else wants to know: your endpoints, what they were told and what they answered.",
    "Audit": "Who changed what.",
    "Operations": "What was set aside, for those on call.",
}
_HEADERS: dict[str, Json] = {
    "X-Request-Id": {
        "description": "The id of this request: yours if you sent a well-formed one. Give it when you report a problem.",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": 'The limits that apply: `"key";q=<most at once>;w=<seconds to refill>`.',
        "schema": {"type": "string", "examples": ['"key";q=5000;w=5']},
    },
    "RateLimit": {
        "description": 'What is left: `"key";r=<requests>;t=<seconds until full>`.',
        "schema": {"type": "string", "examples": ['"key";r=4999;t=1']},
    },
    "Retry-After": {
        "description": "Seconds to wait before trying again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Idempotent-Replayed": {
        "description": "`true` when this is the stored answer to an earlier request with the same Idempotency-Key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
_IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "examples": ["order-shipped:A-1029:u_42"]},
    OpenApiParameter.HEADER,
    description="An id of the thing you notify about. The same key with the same body answers again and does nothing twice.",
)
PAGE_PARAMETERS = [
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
        description="How many at most.",
    ),
    OpenApiParameter("cursor", {"type": "string"}, description="`next_cursor` of the previous page."),
]


class Schema(AutoSchema):
    """REST_FRAMEWORK["DEFAULT_SCHEMA_CLASS"]."""

    def get_description(self, path: str = "", method: str = "") -> str:
        """Only what @extend_schema says: docstrings are for those who read the code."""
        return ""

    def get_override_parameters(self) -> list[Any]:
        takes_key = self.method == "POST" and getattr(self.view, "takes_idempotency_key", False)
        return [_IDEMPOTENCY_KEY] if takes_key else []

    def get_request_serializer(self) -> Any:
        """A body is what @extend_schema says, nothing is guessed."""
        return None

    def _get_request_body(self, *args: Any) -> Json | None:
        """A DELETE has a body when it says so (an address does not belong into a URL)."""
        method = self.method
        try:
            if method == "DELETE" and self.get_request_serializer() is not None:
                self.method = "POST"
            body: Json | None = super()._get_request_body(*args)  # type: ignore[no-untyped-call]
            return body
        finally:
            self.method = method

    def _get_response_for_code(self, serializer: Any, status_code: str, *args: Any, **kwargs: Any) -> Json:
        """`A | B`: one of these structs."""
        if isinstance(serializer, UnionType):
            serializer = {"oneOf": [self.resolve_serializer(kind, "response").ref for kind in serializer.__args__]}
        answer: Json = super()._get_response_for_code(serializer, status_code, *args, **kwargs)  # type: ignore[no-untyped-call]
        return answer


class StructExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """msgspec structs in @extend_schema(request=..., responses=...)."""

    target_class = msgspec.Struct
    match_subclasses = True

    def get_name(self, auto_schema: AutoSchema, direction: str) -> str:
        for name, schema in struct_schemas(self.target).items():
            known = auto_schema.registry._components.get((name, ResolvedComponent.SCHEMA))
            if known is not None and known.schema is not None and known.schema != schema:
                warn(f"Two different structs are called {name}; the schema needs a name for each.")
        return str(self.target.__name__)

    def get_identity(self, auto_schema: AutoSchema, direction: str) -> ComponentIdentity:
        return ComponentIdentity(self.target.__name__)  # type: ignore[no-untyped-call]

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> Json:
        schemas = dict(struct_schemas(self.target))
        own = schemas.pop(self.target.__name__)
        for name, schema in schemas.items():
            component = ResolvedComponent(  # type: ignore[no-untyped-call]
                name=name,
                type=ResolvedComponent.SCHEMA,
                object=ComponentIdentity(name),  # type: ignore[no-untyped-call]
                schema=schema,
            )
            auto_schema.registry.register_on_missing(component)
        return own


@cache
def struct_schemas(struct: type[msgspec.Struct]) -> dict[str, Json]:
    """The JSON schemas of a struct and of all it contains, by name."""
    _, schemas = msgspec.json.schema_components((struct,), ref_template=_REF, schema_hook=_anything)
    return schemas


def _anything(kind: type) -> Json:
    if kind is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError(f"{kind!r} has no JSON schema.")


def add_conventions(result: Json, **_: Any) -> Json:
    """SPECTACULAR_SETTINGS["POSTPROCESSING_HOOKS"]: problems, headers and code samples that every operation shares."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {}).update(struct_schemas(ProblemBody))
    components["headers"] = _HEADERS
    components["responses"] = {f"Problem{status}": _problem(status, meaning) for status, meaning in _PROBLEMS.items()}
    result["tags"] = [{"name": name, "description": about} for name, about in _TAGS.items()]
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            _complete(operation, path)
            operation["x-codeSamples"] = [
                {"lang": "Shell", "label": "curl", "source": curl(result, path, method, operation)}
            ]
    return result


def _problem(status: str, meaning: str) -> Json:
    names = ["X-Request-Id"]
    if status in {"429", "503"}:
        names.append("Retry-After")
    return {
        "description": meaning,
        "headers": _headers(names),
        "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(name="ProblemBody")}}},
    }


def _complete(operation: Json, path: str) -> None:
    responses = operation["responses"]
    parameters = operation.get("parameters", [])
    statuses = ["500", "503"]
    if operation.get("security"):
        statuses += ["401", "403", "429"]
    if "requestBody" in operation:
        statuses += ["400", "413", "415"]
    if any(parameter["in"] == "query" for parameter in parameters):
        statuses.append("400")
    is_upsert = "200" in responses and "201" in responses and "/" not in path.rpartition("}")[2]
    if "{" in path and not is_upsert:
        statuses.append("404")
    for status in statuses:
        responses.setdefault(status, {"$ref": f"#/components/responses/Problem{status}"})
    names = ["X-Request-Id"]
    if any("ApiKey" in way for way in operation.get("security", [])):
        names += ["RateLimit-Policy", "RateLimit"]
    if any(parameter["name"] == "Idempotency-Key" for parameter in parameters):
        names.append("Idempotent-Replayed")
    for status, response in responses.items():
        if "$ref" in response:
            continue
        is_problem = status >= "400"
        response["headers"] = _headers(names[:1] if is_problem else names) | response.get("headers", {})
        if is_problem and "application/json" in response.get("content", {}):
            response["content"] = {MEDIA_TYPE: response["content"].pop("application/json")}
        response["description"] = response.get("description") or _PROBLEMS.get(status, "Done.")
    operation["responses"] = dict(sorted(responses.items()))


def _headers(names: list[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
