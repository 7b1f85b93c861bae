"""Bodies in and out as typed structs: one definition validates, documents (core/openapi.py) and encodes.

Decoding is strict: unknown fields, wrong types, NUL characters, over-deep nesting and over-large bodies are refused,
each with its own code and a JSON pointer to every place.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, TypeVar

import msgspec
from django.conf import settings
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from apps.core.problem_codes import Code
from apps.core.problems import FieldError, Problem

T = TypeVar("T")
MAX_DEPTH = 20
_TAIL = re.compile(r" - at `(?:key in )?\$(.*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Base of all request bodies."""


class Answer(msgspec.Struct, kw_only=True):
    """Base of all answers."""


class JsonOnly(BaseContentNegotiation):
    """The API speaks JSON whatever `Accept` says: there is nothing to choose."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class RawBodyParser(BaseParser):
    """Hands the bytes on; `decode` does the rest."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return stream.read()


class JsonRenderer(BaseRenderer):
    """Encodes structs, datetimes and UUIDs."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else msgspec.json.encode(data)


def decode(request: Request, kind: type[T], *, limit: int | None = None) -> T:
    """The body as a `kind`. Raises Problem: body_too_large, unsupported_media_type, invalid_json, validation_error..."""
    return decode_bytes(read_body(request, limit or settings.API_BODY_LIMIT), kind)


def read_body(request: Request, limit: int) -> bytes:
    if (request.content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE)
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    if length > limit:
        raise Problem(Code.BODY_TOO_LARGE, f"The body has {length} bytes; the limit here is {limit}.")
    body = request._request.body
    if len(body) > limit:
        raise Problem(Code.BODY_TOO_LARGE, f"The body has {len(body)} bytes; the limit here is {limit}.")
    return body


def decode_bytes(body: bytes, kind: type[T]) -> T:
    try:
        value = msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _explain(body, kind, error) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(Code.INVALID_JSON, f"The body is not valid JSON: {error}.") from None
    except RecursionError:
        raise Problem(Code.TOO_DEEP) from None
    if b"\\u0000" in body or body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        raw = msgspec.json.decode(body)
        if _hides(raw):
            _refuse_hidden(raw)
    return value


def _explain(body: bytes, kind: type[Any], first: msgspec.ValidationError) -> Problem:
    """Every field that is wrong, not only the first: each is converted by itself."""
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raw = None
    errors = list(_field_errors(raw, kind)) if isinstance(raw, dict) and issubclass(kind, msgspec.Struct) else []
    errors = errors or [_field_error("", str(first))]
    code = Code[errors[0].code.upper()] if len(errors) == 1 else Code.VALIDATION_ERROR
    detail = errors[0].detail if len(errors) == 1 else f"{len(errors)} fields are not valid."
    return Problem(code, detail, errors=errors)


def _field_errors(raw: dict[str, Any], kind: type[msgspec.Struct]) -> Iterator[FieldError]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name, value in raw.items():
        if name not in fields:
            yield FieldError(f"/{_escape(name)}", Code.UNKNOWN_FIELD, f"`{name}` is not a field of this body.")
            continue
        try:
            msgspec.convert(value, fields[name].type)
        except msgspec.ValidationError as error:
            yield _field_error(f"/{_escape(name)}", str(error))
    for name, field in fields.items():
        if field.required and name not in raw:
            yield FieldError(f"/{name}", Code.MISSING_FIELD, f"`{name}` is required.")


def _field_error(base: str, message: str) -> FieldError:
    tail = _TAIL.search(message)
    pointer = base + (_pointer(tail.group(1)) if tail else "")
    said = _TAIL.sub("", message)
    if found := _UNKNOWN.search(said):
        name = found.group(1)
        return FieldError(f"{pointer}/{_escape(name)}", Code.UNKNOWN_FIELD, f"`{name}` is not a field here.")
    if found := _MISSING.search(said):
        name = found.group(1)
        return FieldError(f"{pointer}/{name}", Code.MISSING_FIELD, f"`{name}` is required.")
    is_type = said.startswith("Expected") and ", got " in said
    return FieldError(pointer, Code.WRONG_TYPE if is_type else Code.OUT_OF_RANGE, f"{said}.")


def _pointer(path: str) -> str:
    """msgspec's `.a[0].b` as a JSON pointer; `[...]` (any member) is left out."""
    return re.sub(r"\[(\d+)\]", r"/\1", path).replace("[...]", "").replace(".", "/")


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _hides(value: Any, depth: int = 0) -> bool:
    """Whether `_refuse_hidden` would refuse, without naming places: nearly every large body is innocent."""
    if depth > MAX_DEPTH:
        return True
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        for name, inner in value.items():
            if "\x00" in name or _hides(inner, depth + 1):
                return True
    elif isinstance(value, list):
        for inner in value:
            if _hides(inner, depth + 1):
                return True
    return False


def _refuse_hidden(value: Any, pointer: str = "", depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise Problem(Code.TOO_DEEP, pointer=pointer)
    match value:
        case str():
            if "\x00" in value:
                raise Problem(Code.NUL_BYTE, pointer=pointer)
        case dict():
            for name, inner in value.items():
                _refuse_hidden(name, f"{pointer}/{_escape(name)}", depth)
                _refuse_hidden(inner, f"{pointer}/{_escape(name)}", depth + 1)
        case list():
            for index, inner in enumerate(value):
                _refuse_hidden(inner, f"{pointer}/{index}", depth + 1)
