"""Vonage's Messages API for SMS: JSON in, 202 or a problem (RFC 7807) out, status and inbound webhooks signed by a JWT.

https://developer.vonage.com/en/api/messages, .../getting-started/concepts/webhooks#signed-webhooks
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from time import time
from typing import Any
from uuid import uuid4

import jwt
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from apps.core.types import ProviderCall
from tests.simulators.base import Reply, Request, Simulator, Taken

API_KEY, API_SECRET = "abcd1234", "basic-secret"
APPLICATION = "78d335fa-323d-0114-9c3d-d6f0d48968cf"
SECRET = "signature-secret-of-at-least-32-bytes"
TO = re.compile(r"[1-9]\d{6,14}")
# numbers with a meaning of their own (ours: Vonage has none)
FAULTS = {"15005550001": "1170", "15005550004": "1240", "15005550007": "1120", "15005550009": "1050"}
WORDS = {
    "sent": ("submitted", ""),
    "delivered": ("delivered", ""),
    "opened": ("read", ""),
    "failed": ("rejected", "1180"),
    "bounced": ("rejected", "1190"),
    "opted_out": ("rejected", "1240"),
}
TYPE = "https://developer.vonage.com/api-errors/messages#"


@cache
def key_pair() -> tuple[str, str]:
    """Private and public, PEM; made once."""
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


class VonageSimulator(Simulator):
    """Takes basic authentication, and JWTs of `key_pair()`."""

    name = "vonage"
    channel = "sms"
    webhook_secrets = (SECRET,)
    sender = "15005550006"

    def __init__(self) -> None:
        super().__init__()
        self.credentials: Mapping[str, str] = {"api_key": API_KEY, "api_secret": API_SECRET}
        self.tokens: set[str] = set()

    def use_jwt(self) -> None:
        """From now on its credentials are an application's. A process uses basic authentication: its key would not be known."""
        self.credentials = {"application_id": APPLICATION, "private_key": key_pair()[0]}

    def reply(self, request: Request) -> Reply:
        if not self._is_authentic(request):
            return problem(401, "unauthorized", "You did not provide correct credentials.")
        if (request.method, request.path) != ("POST", "/v1/messages"):
            return problem(404, "not-found", "There is no such door.")
        try:
            body = request.json()
        except msgspec.DecodeError:
            return problem(422, "invalid-json", "The body is not JSON.")
        reference, to = str(body.get("client_ref", "")), str(body.get("to", ""))
        if wrong := _wrong(request, body):
            return problem(
                422, "1020", "The value of one or more parameters is invalid.", wrong, [Taken(reference, "", to)]
            )
        if code := FAULTS.get(to):
            return problem(422, code, "No.", refused=[Taken(reference, "", to)])
        uuid = str(uuid4())
        taken = Taken(reference, uuid, to, "", body.get("webhook_url", ""), {"from": body["from"]})
        return Reply(202, msgspec.json.encode({"message_uuid": uuid}), taken=[taken])

    def fault(self, request: Request, status: int, retry_after: str) -> Reply:
        headers = {"Retry-After": retry_after} if retry_after else {}
        code = {429: "1000", 401: "unauthorized", 402: "low-balance"}.get(status, "")
        return Reply(status, problem(status, code, "No.").body, headers)

    def sample_address(self, number: int) -> str:
        return f"+1{2020000000 + number}"

    def receipt(self, taken: Taken, kind: str, at: float) -> ProviderCall | None:
        if kind not in WORDS or not taken.receipts_to:
            return None
        status, code = WORDS[kind]
        event: dict[str, Any] = {
            "message_uuid": taken.message_id,
            "to": taken.address,
            "from": taken.extra.get("from", self.sender),
            "timestamp": moment(at),
            "status": status,
            "channel": "sms",
            "client_ref": taken.reference,
            "destination": {"network_code": "310004"},
            "usage": {"currency": "EUR", "price": "0.0333"},
            "sms": {"count_total": "1"},
        }
        if code:
            event["error"] = {"type": TYPE + code, "title": int(code), "detail": "No.", "instance": str(uuid4())}
        return signed(taken.receipts_to, event, at)

    def forged(self, call: ProviderCall) -> ProviderCall:
        return signed(call.url, msgspec.json.decode(call.body), time(), secret="somebody else's secret of 32 bytes")

    def _is_authentic(self, request: Request) -> bool:
        if request.basic(API_KEY, API_SECRET):
            return True
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            claims = jwt.decode(token, key_pair()[1], algorithms=["RS256"], options={"require": ["iat", "exp", "jti"]})
        except jwt.PyJWTError:
            return False
        is_new = claims["jti"] not in self.tokens
        self.tokens.add(claims["jti"])
        return is_new and claims.get("application_id") == APPLICATION


def problem(
    status: int, code: str, detail: str, wrong: list[dict[str, str]] | None = None, refused: list[Taken] | None = None
) -> Reply:
    body = {"type": TYPE + code, "title": "Invalid params", "detail": detail, "instance": str(uuid4())}
    found = body | ({"invalid_parameters": wrong} if wrong else {})
    return Reply(
        status, msgspec.json.encode(found), {"Content-Type": "application/problem+json"}, refused=refused or []
    )


def signed(url: str, event: dict[str, Any], at: float, *, secret: str = SECRET) -> ProviderCall:
    body = msgspec.json.encode(event)
    claims = {
        "iss": "Vonage",
        "iat": int(at),
        "jti": str(uuid4()),
        "api_key": API_KEY,
        "payload_hash": sha256(body).hexdigest(),
    }
    token = jwt.encode(claims, secret, algorithm="HS256")
    return ProviderCall(url, {"authorization": f"Bearer {token}", "content-type": "application/json"}, body)


def inbound(url: str, sender: str, text: str, *, uuid: str, at: float) -> ProviderCall:
    """What somebody sent to our number; `sender` without the +."""
    event = {
        "to": "15005550006",
        "from": sender,
        "channel": "sms",
        "message_uuid": uuid,
        "timestamp": moment(at),
        "usage": {"price": "0.0057", "currency": "EUR"},
        "message_type": "text",
        "text": text,
        "sms": {"num_messages": "1"},
    }
    return signed(url, event, at)


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _wrong(request: Request, body: dict[str, Any]) -> list[dict[str, str]]:
    text, ttl = body.get("text"), body.get("ttl", 20)
    checks = {
        "Content-Type": request.headers.get("content-type", "").startswith("application/json"),
        "channel": body.get("channel") == "sms",
        "message_type": body.get("message_type") == "text",
        "to": bool(TO.fullmatch(str(body.get("to", "")))),
        "from": isinstance(body.get("from"), str) and 0 < len(body["from"]) <= 15,
        "text": isinstance(text, str) and 0 < len(text) <= 3200,
        "ttl": isinstance(ttl, int) and 20 <= ttl <= 604_800,
        "client_ref": len(str(body.get("client_ref", ""))) <= 100,
        "webhook_version": body.get("webhook_version", "v1") in {"v0.1", "v1"},
        "sms": body.get("sms", {}).get("encoding_type", "auto") in {"text", "unicode", "auto"},
    }
    return [{"name": name, "reason": "invalid value"} for name, is_right in checks.items() if not is_right]
