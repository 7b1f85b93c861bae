"""Requests to Amazon's APIs, written by botocore: its service models, its serializer, its signer. It opens no socket here.

The serializer is none of boto3's documented doors; tests/contract/ses compares every request with the one an unmodified boto3
client makes.
"""

import os
from collections.abc import Mapping
from functools import cache
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from botocore.model import ServiceModel
from botocore.serialize import create_serializer

from apps.channels.base import NotSentError
from apps.channels.transport import HttpRequest
from apps.core.enums import OutcomeKind
from apps.core.types import Account


def region_of(account: Account) -> str:
    """The setting `region`, or an empty string."""
    return str(account.settings.get("region", ""))


def operation(account: Account, service: str, name: str, parameters: Mapping[str, Any]) -> HttpRequest:
    """The unsigned request of one operation. Its URL begins with the account's `base_url`, else is the region's own; with neither it
    is none. Raises botocore's ParamValidationError."""
    model, serializer = _read(service)
    written = serializer.serialize_to_request(dict(parameters), model.operation_model(name))
    base = account.base_url or _endpoint_of(service, region_of(account))
    body = written["body"]
    return HttpRequest(
        f"{base}{written['url_path']}",
        body.encode() if isinstance(body, str) else bytes(body),
        dict(written["headers"]),
        str(written["method"]),
    )


def signed(account: Account, service: str, request: HttpRequest) -> HttpRequest:
    """With Signature Version 4, as of now. Raises NotSentError when the account lacks what it takes."""
    key, secret = account.credentials.get("access_key_id"), account.credentials.get("secret_access_key")
    if not key or not secret:
        raise NotSentError(OutcomeKind.MISCONFIGURED, "no_credentials", "Set access_key_id and secret_access_key.")
    if not region_of(account):
        raise NotSentError(OutcomeKind.MISCONFIGURED, "no_region", "Set the region in the account's settings.")
    if not _is_url(request.url):
        raise NotSentError(OutcomeKind.MISCONFIGURED, "bad_url", "The base URL, or the region's, is none.")
    letter = AWSRequest(request.method, request.url, dict(request.headers), request.body)
    credentials = Credentials(key, secret, account.credentials.get("session_token") or None)
    SigV4Auth(credentials, _read(service)[0].signing_name, region_of(account)).add_auth(letter)
    return HttpRequest(request.url, request.body, dict(letter.headers.items()), request.method)


def error_of(headers: Mapping[str, str], body: Mapping[str, Any]) -> str:
    """The error's name, wherever this service has put it (the order is botocore.parsers.BaseRestParser's)."""
    said = headers.get("x-amzn-errortype") or body.get("code") or body.get("Code") or body.get("__type") or ""
    return str(said).partition(":")[0].rpartition("#")[2]


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


_lock = Lock()


def _after_fork() -> None:
    global _lock
    _lock = Lock()


os.register_at_fork(after_in_child=_after_fork)


def _read(service: str) -> tuple[ServiceModel, Any]:
    """Its model and serializer, read by one thread: of thirty that begin together each would read all of it, 75 MB in the end."""
    with _lock:
        return _model(service)


def _endpoint_of(service: str, region: str) -> str:
    with _lock:
        return _endpoint(service, region)


@cache
def _model(service: str) -> tuple[ServiceModel, Any]:
    model = botocore.session.Session().get_service_model(service)
    return model, create_serializer(model.resolved_protocol, include_validation=True)


@cache
def _endpoint(service: str, region: str) -> str:
    """As a client would find it out; empty for what cannot be a region."""
    config = Config(signature_version=UNSIGNED)
    try:
        client = botocore.session.Session().create_client(service, region_name=region, config=config)
    except BotoCoreError:
        return ""
    return str(client.meta.endpoint_url)
