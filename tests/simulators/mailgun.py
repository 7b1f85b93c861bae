"""Mailgun's Messages API and its webhooks (Mailgun API reference: Messages; User manual: Webhook Payloads, Securing Webhooks)."""

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from email.parser import BytesParser
from email.policy import HTTP
from email.utils import getaddresses
from hashlib import sha256
from time import time
from typing import Any, ClassVar
from urllib.parse import parse_qs

import msgspec

from apps.core.types import ProviderCall
from tests.simulators.base import Reply, Request, Simulator, Taken
from tests.simulators.behaviour import retry_after_header

API_KEY = "key-acme-simulated"
DOMAIN = "acme.test"
SIGNING_KEY = "f3a1c5d9e7b2408d9c6e5f4a3b2c1d0e"
LOGIN = "mailgun:simulated"
MOST_RECIPIENTS, MOST_BYTES = 1000, 25_000_000
SAID: dict[int, str] = {402: "Payment required", 429: "Too many requests", 500: "Internal Server Error"}
EVENTS: dict[str, dict[str, Any]] = {
    "sent": {"event": "accepted"},
    "deferred": {
        "event": "failed",
        "severity": "temporary",
        "reason": "generic",
        "delivery-status": {"code": 451, "message": "4.3.0 try again later", "retry-seconds": 600, "attempt-no": 1},
    },
    "delivered": {
        "event": "delivered",
        "delivery-status": {"code": 250, "message": "OK", "attempt-no": 1, "tls": True},
    },
    "bounced": {
        "event": "failed",
        "severity": "permanent",
        "reason": "bounce",
        "delivery-status": {"code": 550, "message": "5.1.1 no such user", "bounce-type": "hard", "attempt-no": 1},
    },
    "soft_bounced": {
        "event": "failed",
        "severity": "permanent",
        "reason": "old",
        "delivery-status": {"code": 602, "message": "Too old", "attempt-no": 8},
    },
    "failed": {
        "event": "rejected",
        "reject": {"reason": "Sandbox subdomains are for test purposes only.", "description": ""},
    },
    "opened": {"event": "opened", "client-info": {"client-name": "Chrome", "bot": ""}},
    "clicked": {"event": "clicked", "url": "https://acme.test/", "client-info": {"client-name": "Chrome", "bot": ""}},
    "complained": {"event": "complained"},
    "opted_out": {"event": "unsubscribed"},
}
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
Form = Mapping[str, list[str]]


def signature(at: int, token: str, key: str = SIGNING_KEY) -> dict[str, str]:
    digest = hmac.digest(key.encode(), f"{at}{token}".encode(), "sha256").hex()
    return {"timestamp": str(at), "token": token, "signature": digest}


def call(url: str, event: Mapping[str, Any], at: int, *, login: str = LOGIN, token: str = "") -> ProviderCall:
    """As Mailgun makes it to a URL with user and password, signed at that time."""
    token = token or sha256(msgspec.json.encode(event)).hexdigest()[:50]
    body = msgspec.json.encode({"signature": signature(at, token), "event-data": event})
    headers = {"content-type": "application/json", "user-agent": "Go-http-client/1.1"}
    return ProviderCall(url, headers | {"authorization": f"Basic {b64encode(login.encode()).decode()}"}, body)


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class MailgunSimulator(Simulator):
    name = "mailgun"
    channel = "email"
    credentials: ClassVar[dict[str, str]] = {"api_key": API_KEY}
    settings: ClassVar[dict[str, Any]] = {"domain": DOMAIN}
    webhook_secrets = (SIGNING_KEY, LOGIN)
    sender = f"Acme <hello@{DOMAIN}>"

    def __init__(self, state: str = "active") -> None:
        super().__init__()
        self.state = state

    def reply(self, request: Request) -> Reply:
        if not request.basic("api", API_KEY):
            return Reply(401, b"Forbidden", {"Content-Type": "text/plain"})
        match request.method, request.path.split("/")[1:]:
            case "GET", ["v3", "domains", name]:
                if name != DOMAIN:
                    return _json(404, {"message": "Domain not found: " + name})
                return _json(200, {"domain": {"name": name, "state": self.state, "type": "custom"}})
            case "POST", ["v3", name, "messages"]:
                if name != DOMAIN:
                    return _json(404, {"message": f"Domain not found: {name}"})
                return self._take_mail(request)
        return Reply(200, b"Mailgun Magnificent API", {"Content-Type": "text/plain"})

    def is_message(self, request: Request) -> bool:
        return request.method == "POST"

    def fault(self, request: Request, status: int, retry_after: str) -> Reply:
        return Reply(
            status,
            msgspec.json.encode({"message": SAID.get(status, "Service unavailable")}),
            retry_after_header(retry_after),
        )

    def receipt(self, taken: Taken, kind: str, at: float) -> ProviderCall | None:
        fields = EVENTS.get(kind)
        if fields is None or not taken.receipts_to:
            return None
        event = {
            "id": sha256(f"{taken.message_id} {kind}".encode()).hexdigest()[:22],
            "timestamp": at,
            "log-level": "info",
            "recipient": taken.address,
            "message": {"headers": {"message-id": taken.message_id.strip("<>"), "to": taken.address}, "size": 500},
            "user-variables": dict(taken.extra) or [],
            "tags": [],
            **fields,
        }
        return call(taken.receipts_to, event, int(time()))

    def sample_address(self, number: int) -> str:
        return f"rosa{number}@example.com"

    def _take_mail(self, request: Request) -> Reply:
        if len(request.body) > MOST_BYTES:
            return _json(413, {"message": "Request Entity Too Large"})
        form = _form(request)
        given = form.get("h:Message-Id", [f"<{request.number}.{int(time())}@{DOMAIN}>"])[-1]
        addresses = [address for _, address in getaddresses(form.get("to", []))]
        variables = {name[2:]: values[-1] for name, values in form.items() if name.startswith("v:")}
        reference = variables.get("notifier_reference", "")
        delivery = given.strip("<>").partition("@")[0]
        seen = [Taken(reference, given, address, delivery, extra=variables) for address in addresses]
        try:
            _check(form, addresses)
        except Refused as refused:
            return Reply(refused.status, msgspec.json.encode({"message": str(refused)}), refused=seen)
        answer = _json(200, {"id": given, "message": "Queued. Thank you."})
        return Reply(answer.status, answer.body, taken=seen)


def _check(form: Form, addresses: list[str]) -> None:
    """In Mailgun's own words. Raises Refused."""
    for name in ("from", "to"):
        if not any(form.get(name, ())):
            raise Refused(400, f"{name} parameter is missing")
    if len(addresses) > MOST_RECIPIENTS:
        raise Refused(400, f"to parameter has too many recipients ({MOST_RECIPIENTS})")
    if not all(map(_EMAIL.fullmatch, addresses)):
        raise Refused(400, "'to' parameter is not a valid address. please check documentation")
    if not all(_EMAIL.fullmatch(address) for _, address in getaddresses(form["from"])):
        raise Refused(400, "'from' parameter is not a valid address. please check documentation")
    if not any(any(form.get(name, ())) for name in ("text", "html", "amp-html", "template")):
        raise Refused(400, "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified")
    for name in ("o:tracking-opens", "o:tracking-clicks"):
        if set(form.get(name, ())) - {"yes", "no", "true", "false", "htmlonly"}:
            raise Refused(400, f"{name} is not valid")


def _form(request: Request) -> Form:
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        found: dict[str, list[str]] = {}
        parsed = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + request.body)
        for part in parsed.iter_parts():
            name = str(part.get_param("name", "", "content-disposition"))
            found.setdefault(name, []).append((part.get_payload(decode=True) or b"").decode())
        return found
    return parse_qs(request.body.decode(), keep_blank_values=True)


def _json(status: int, value: object) -> Reply:
    return Reply(status, msgspec.json.encode(value))
