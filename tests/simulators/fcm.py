"""FCM HTTP v1 and Google's token endpoint, as strict as they are.

Any token of the right shape is registered, unless it contains `unregistered` or `mismatch` (another sender's).
https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages and .../v1/FcmError
"""

import re
from functools import cache
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe
from time import time
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.simulators.base import Reply, Request, Simulator, Taken
from tests.simulators.behaviour import retry_after_header
from tests.simulators.fcm_rules import Wrong, check

PROJECT = "acme-simulated"
EMAIL = f"notifier@{PROJECT}.iam.gserviceaccount.com"
KEY_ID = "f3c0ffee0000000000000000000000000000f00d"
AUDIENCE = "https://oauth2.googleapis.com/token"
SCOPES = frozenset(
    {"https://www.googleapis.com/auth/firebase.messaging", "https://www.googleapis.com/auth/cloud-platform"}
)
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


class FcmSimulator(Simulator):
    name = "fcm"
    channel = "push"

    def __init__(self, key_file: str = "") -> None:
        """`key_file`: PEM, made when there is none, for two processes that must agree on the service account's key."""
        super().__init__()
        self._key = _key(key_file)
        self._public = load_pem_private_key(self._key.encode(), None).public_key()
        self._tokens: dict[str, float] = {}

    @property
    def credentials(self) -> dict[str, str]:  # type: ignore[override]
        return {"service_account": service_account(f"{self.url}/token", self._key)}

    def sample_address(self, number: int) -> str:
        return f"sim{number:019}:APA91b{sha256(str(number).encode()).hexdigest() * 2}"

    def revoke_tokens(self) -> None:
        """Every access token given out so far is worth nothing from now on."""
        self._tokens.clear()

    def is_message(self, request: Request) -> bool:
        return request.path.endswith("/messages:send")

    def reply(self, request: Request) -> Reply:
        if request.path == "/token":
            return self._grant(request)
        found = re.fullmatch(r"/v1/projects/([^/]+)/messages:send", request.path)
        if found is None or request.method != "POST":
            return Reply(404, b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>", {"Content-Type": "text/html"})
        if not self._is_authorized(request):
            return refusal(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if found[1] != PROJECT:
            said = "Permission 'cloudmessaging.messages.create' denied on resource (or it may not exist)."
            return refusal(403, "PERMISSION_DENIED", said)
        return self._send(request)

    def fault(self, request: Request, status: int, retry_after: str) -> Reply:
        status_word, code = _FAULTS.get(status, ("UNKNOWN", ""))
        reply = refusal(status, status_word, "Told to.", code=code)
        return Reply(status, reply.body, {**reply.headers, **retry_after_header(retry_after)})

    def _grant(self, request: Request) -> Reply:
        """RFC 7523, as Google has it."""
        form = request.form() if request.headers.get("content-type") == "application/x-www-form-urlencoded" else {}
        if form.get("grant_type") != GRANT:
            return _json(400, {"error": "unsupported_grant_type", "error_description": "Invalid grant_type"})
        try:
            claims = jwt.decode(form.get("assertion", ""), self._public, ["RS256"], audience=AUDIENCE, issuer=EMAIL)
            is_short = 0 < claims["exp"] - claims["iat"] <= 3600
            is_known = jwt.get_unverified_header(form["assertion"]).get("kid") == KEY_ID
        except (jwt.PyJWTError, KeyError):
            return _json(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        if not is_short or not is_known:
            return _json(400, {"error": "invalid_grant", "error_description": "Invalid JWT: not short-lived"})
        if not SCOPES & set(str(claims.get("scope")).split(" ")):
            return _json(
                400, {"error": "invalid_scope", "error_description": "Invalid OAuth scope or ID token audience"}
            )
        token = f"ya29.c.{token_urlsafe(40)}"
        self._tokens[token] = time() + 3600
        return _json(200, {"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def _is_authorized(self, request: Request) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme == "Bearer" and self._tokens.get(token, 0.0) > time()

    def _send(self, request: Request) -> Reply:
        try:
            body = request.json()
            check(body)
        except msgspec.DecodeError:
            return refusal(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
        except Wrong as error:
            field, said = error.args
            return refusal(400, "INVALID_ARGUMENT", said, code="INVALID_ARGUMENT", field=field)
        message = body["message"]
        token = message.get("token", "")
        data = message.get("data", {})
        one = Taken(data.get("reference", ""), "", token, data.get("delivery", ""))
        if "unregistered" in token:
            said = "Requested entity was not found."
            return refusal(404, "NOT_FOUND", said, code="UNREGISTERED", refused=one)
        if "mismatch" in token:
            return refusal(403, "PERMISSION_DENIED", "SenderId mismatch", code="SENDER_ID_MISMATCH", refused=one)
        if body.get("validate_only"):
            return _json(200, {"name": f"projects/{PROJECT}/messages/fake_message_id"})
        digest = sha256(f"{token}{request.number}".encode()).hexdigest()[:16]
        name = f"projects/{PROJECT}/messages/0:{int(time() * 1e6)}%{digest}"
        taken = Taken(one.reference, name, token, one.delivery)
        return Reply(200, msgspec.json.encode({"name": name}), taken=[taken])


_FAULTS = {
    401: ("UNAUTHENTICATED", ""),
    403: ("PERMISSION_DENIED", ""),
    429: ("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
    500: ("INTERNAL", "INTERNAL"),
    503: ("UNAVAILABLE", "UNAVAILABLE"),
}


def service_account(token_uri: str, key: str, *, project: str = PROJECT) -> str:
    """A key file, as the console lets one download it."""
    return msgspec.json.encode(
        {
            "type": "service_account",
            "project_id": project,
            "private_key_id": KEY_ID,
            "private_key": key,
            "client_email": EMAIL,
            "client_id": "100000000000000000000",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": token_uri,
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_x509_cert_url": f"https://www.googleapis.com/robot/v1/metadata/x509/{EMAIL}",
            "universe_domain": "googleapis.com",
        }
    ).decode()


@cache
def _key(path: str) -> str:
    if path and Path(path).exists():
        return Path(path).read_text()
    made = rsa.generate_private_key(65537, 2048)
    text = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    if path:
        Path(path).write_text(text)
    return text


def refusal(
    status: int, word: str, said: str, *, code: str = "", field: str = "", refused: Taken | None = None
) -> Reply:
    """Google's error body: google.rpc.Status with FcmError and BadRequest among the details."""
    details: list[dict[str, Any]] = [{"@type": _FCM_ERROR, "errorCode": code}] if code else []
    if field:
        details.append({"@type": _BAD_REQUEST, "fieldViolations": [{"field": field, "description": said}]})
    error = {"code": status, "message": said, "status": word} | ({"details": details} if details else {})
    return Reply(status, msgspec.json.encode({"error": error}), refused=[refused] if refused else [])


def _json(status: int, body: object) -> Reply:
    return Reply(status, msgspec.json.encode(body))
