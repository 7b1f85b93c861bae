"""APNs: HTTP/2 only, token authentication, and Apple's own reasons (UserNotifications, Handling notification responses from APNs)."""

import re
from base64 import urlsafe_b64decode
from hashlib import sha256
from time import time
from typing import Any, ClassVar
from uuid import UUID

import jwt
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.simulators.base import Simulator
from tests.simulators.behaviour import retry_after_header
from tests.simulators.wire import Reply, Request, Taken

TEAM, KEY_ID, TOPIC = "ACME123456", "KEY7654321", "test.acme.app"
PUSH_TYPES = frozenset(
    {"alert", "background", "voip", "complication", "fileprovider", "mdm", "location", "liveactivity"}
)
MOST_PAYLOAD = 4096
HOUR, TWENTY_MINUTES = 3600, 1200
REASONS: dict[int, str] = {
    400: "IdleTimeout",
    403: "Forbidden",
    404: "BadPath",
    405: "MethodNotAllowed",
    410: "Unregistered",
    413: "PayloadTooLarge",
    429: "TooManyRequests",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}
_TOKEN = re.compile(r"(?:[0-9a-f]{2}){32,100}", re.IGNORECASE)


def signing_key(number: int = 1) -> str:
    """A .p8 file's text: always the same for a number, so that every process has it."""
    key = ec.derive_private_key(int.from_bytes(sha256(b"apns %d" % number).digest(), "big") >> 1, ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


class Refused(Exception):
    """`timestamp` in milliseconds."""

    def __init__(self, status: int, reason: str, timestamp: int | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.timestamp = status, reason, timestamp


class ApnsSimulator(Simulator):
    """`keys`: key ids and .p8 texts that are good. `dead`: tokens and since when (ms); `foreign`: tokens of another app; `busy`:
    tokens that get too many; `newest_token_at`: provider tokens from before are called expired."""

    name = "apns"
    channel = "push"
    # as Apple has it: one stream until a provider token was good
    first_streams = 1
    credentials: ClassVar[dict[str, str]] = {"team_id": TEAM, "key_id": KEY_ID, "key": signing_key()}
    settings: ClassVar[dict[str, Any]] = {"topic": TOPIC}

    def __init__(self) -> None:
        super().__init__()
        self.keys = {KEY_ID: signing_key()}
        self.dead: dict[str, int] = {}
        self.foreign: set[str] = set()
        self.busy: set[str] = set()
        self.newest_token_at = 0.0
        self._read_tokens: dict[str, float] = {}
        self._last_tokens: dict[int, tuple[str, float]] = {}

    def reply(self, request: Request) -> Reply:
        if request.version != "2":
            return Reply(505, b"")
        try:
            message = self._checked(request)
        except Refused as refused:
            return Reply(refused.status, _body(refused), _headers(request), refused=[_seen(request)])
        return Reply(200, b"", _headers(request), taken=[message])

    def fault(self, request: Request, status: int, retry_after: str) -> Reply:
        body = _body(Refused(status, REASONS.get(status, "InternalServerError")))
        return Reply(status, body, _headers(request) | retry_after_header(retry_after))

    def sample_address(self, number: int) -> str:
        return sha256(b"device %d" % number).hexdigest()

    def _checked(self, request: Request) -> Taken:
        """In about the order in which Apple looks. Raises Refused."""
        headers = request.headers
        if request.method != "POST":
            raise Refused(405, "MethodNotAllowed")
        if not request.path.startswith("/3/device/"):
            raise Refused(404, "BadPath")
        self._check_provider(request)
        _check_headers(headers)
        token = _token(request)
        if not token:
            raise Refused(400, "MissingDeviceToken")
        if not _TOKEN.fullmatch(token):
            raise Refused(400, "BadDeviceToken")
        if headers["apns-topic"] != TOPIC:
            raise Refused(400, "TopicDisallowed")
        _check_payload(request.body)
        if token in self.foreign:
            raise Refused(400, "DeviceTokenNotForTopic")
        if token in self.dead:
            raise Refused(410, "Unregistered", self.dead[token])
        if token in self.busy:
            raise Refused(429, "TooManyRequests")
        return _seen(request)

    def _check_provider(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused(403, "MissingProviderToken")
        if token not in self._read_tokens:
            self._read_tokens[token] = self._read_token(token)
        made_at = self._read_tokens[token]
        if not -HOUR <= made_at - time() <= 60 or made_at < self.newest_token_at:
            raise Refused(403, "ExpiredProviderToken")
        before, changed_at = self._last_tokens.get(request.connection, ("", 0.0))
        if token != before:
            if before and time() - changed_at < TWENTY_MINUTES and self._read_tokens[before] >= self.newest_token_at:
                raise Refused(429, "TooManyProviderTokenUpdates")
            self._last_tokens[request.connection] = (token, time())

    def _read_token(self, token: str) -> float:
        """When it was made, in seconds since 1970."""
        try:
            head = msgspec.json.decode(urlsafe_b64decode(token.partition(".")[0] + "=="))
            key = serialization.load_pem_private_key(self.keys[head["kid"]].encode(), None)
            options = {"verify_iat": False, "require": ["iss", "iat"]}
            claims = jwt.decode(token, key.public_key(), algorithms=["ES256"], issuer=TEAM, options=options)  # type: ignore[arg-type]
            return float(claims["iat"])
        except (ValueError, KeyError, jwt.PyJWTError):
            raise Refused(403, "InvalidProviderToken") from None


def _check_headers(headers: Any) -> None:
    if not headers.get("apns-topic"):
        raise Refused(400, "MissingTopic")
    if headers.get("apns-push-type", "alert") not in PUSH_TYPES:
        raise Refused(400, "InvalidPushType")
    if headers.get("apns-priority", "10") not in {"1", "5", "10"}:
        raise Refused(400, "BadPriority")
    if headers.get("apns-push-type") == "background" and headers.get("apns-priority") == "10":
        raise Refused(400, "BadPriority")
    if len(headers.get("apns-collapse-id", "").encode()) > 64:
        raise Refused(400, "BadCollapseId")
    if not headers.get("apns-expiration", "0").isdecimal():
        raise Refused(400, "BadExpirationDate")
    try:
        UUID(headers.get("apns-id", str(UUID(int=0))))
    except ValueError:
        raise Refused(400, "BadMessageId") from None


def _check_payload(body: bytes) -> None:
    if len(body) > MOST_PAYLOAD:
        raise Refused(413, "PayloadTooLarge")
    try:
        payload = msgspec.json.decode(body)
    except msgspec.DecodeError:
        payload = None
    if not isinstance(payload, dict) or not isinstance(payload.get("aps"), dict) or not payload["aps"]:
        raise Refused(400, "PayloadEmpty")


def _token(request: Request) -> str:
    return request.path.removeprefix("/3/device/")


def _seen(request: Request) -> Taken:
    try:
        payload = msgspec.json.decode(request.body, type=dict[str, Any])
    except msgspec.MsgspecError:
        payload = {}
    return Taken(
        reference=str(payload.get("reference", "")),
        message_id=request.headers.get("apns-id", ""),
        address=_token(request),
        delivery=str(payload.get("delivery", "")),
        extra={"collapse_id": request.headers.get("apns-collapse-id", "")},
    )


def _headers(request: Request) -> dict[str, str]:
    return {"apns-id": request.headers.get("apns-id") or "eabeae54-14a8-11e5-b60b-1697f925ec7b"}


def _body(refused: Refused) -> bytes:
    said: dict[str, Any] = {"reason": refused.reason}
    if refused.timestamp is not None:
        said["timestamp"] = refused.timestamp
    return msgspec.json.encode(said)
