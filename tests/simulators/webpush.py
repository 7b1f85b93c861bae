"""A push service: RFC 8030, 8188, 8291, 8292, answering as Mozilla's autopush does. It also is the browser: it holds the keys of
every subscription, and opens what it gets with http_ece.

Paths: /wpush/v2/sim-N is subscription N, made with this simulator's VAPID key; sim-gone-N has expired, sim-other-N was made with
another key, anything else is unknown. https://mozilla-services.github.io/autopush-rs/errors.html
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from time import time
from typing import Any
from urllib.parse import urlsplit

import http_ece
import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.simulators.base import Reply, Request, Simulator, Taken
from tests.simulators.behaviour import retry_after_header

MOST_BODY = 4096
ORIGIN = "https://updates.push.services.mozilla.com"
SUBJECT = "mailto:push@acme.example"
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)
_ENDPOINT = re.compile(r"/wpush/v2/sim-(?:(gone|other)-)?(\d+)")
_VAPID = re.compile(r"vapid t=([\w.-]+), ?k=([\w-]+)", re.ASCII)
_URGENCIES = frozenset({"very-low", "low", "normal", "high"})
# errno by status where nothing nearer is known
_ERRNOS = {400: 999, 401: 109, 404: 102, 410: 106, 413: 104, 429: 201, 500: 999, 503: 201}


@dataclass(frozen=True, slots=True)
class Browser:
    """A subscription with both of its halves."""

    endpoint: str
    private_key: ec.EllipticCurvePrivateKey
    auth: bytes

    @property
    def subscription(self) -> dict[str, Any]:
        """What PushManager.subscribe() hands out."""
        return {"endpoint": self.endpoint, "keys": {"p256dh": b64(public(self.private_key)), "auth": b64(self.auth)}}

    def opened(self, body: bytes) -> bytes:
        """Raises http_ece.ECEException."""
        plaintext = http_ece.decrypt(body, private_key=self.private_key, auth_secret=self.auth, version="aes128gcm")
        return bytes(plaintext)


class WebPushSimulator(Simulator):
    name = "webpush"
    channel = "push"
    sender = SUBJECT
    credentials = {"private_key": ""}

    def __init__(self) -> None:
        super().__init__()
        key = private_key("vapid")
        self.server_key = b64(public(key))
        self.credentials = {"private_key": b64(key.private_numbers().private_value.to_bytes(32, "big"))}

    def sample_address(self, number: int) -> str:
        return address(f"sim-{number}")

    def is_message(self, request: Request) -> bool:
        return request.path.startswith("/wpush/")

    def fault(self, request: Request, status: int, retry_after: str) -> Reply:
        return refusal(status, _ERRNOS.get(status, 999), "Told to.", retry_after_header(retry_after))

    def reply(self, request: Request) -> Reply:
        found = _ENDPOINT.fullmatch(request.path)
        if found is None or request.method != "POST":
            return refusal(404, 102, "Request did not validate: invalid token")
        if wrong := self._unauthorized(request, is_other=found[1] == "other"):
            return wrong
        if found[1] == "gone":
            return refusal(410, 106, "Endpoint has expired")
        if wrong := _malformed(request):
            return wrong
        return self._take_in(request, browser(request.path.rpartition("/")[2]))

    def _unauthorized(self, request: Request, *, is_other: bool) -> Reply | None:
        """RFC 8292: the token is for us, short-lived, by somebody who can be reached, and of the subscription's key."""
        found = _VAPID.fullmatch(request.headers.get("authorization", ""))
        if found is None:
            return refusal(401, 109, "Request did not validate: missing VAPID token")
        token, key = found.groups()
        try:
            point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(key))
            claims = jwt.decode(token, point, ["ES256"], audience=self.url, options={"require": ["aud", "exp", "sub"]})
        except (jwt.PyJWTError, ValueError):
            return refusal(401, 109, "Request did not validate: Invalid VAPID token")
        if claims["exp"] > time() + 24 * 3600:
            return refusal(401, 109, "The VAPID token expiration is too long")
        if urlsplit(claims["sub"]).scheme not in {"mailto", "https"}:
            return refusal(401, 109, "Request did not validate: Invalid VAPID subject")
        if is_other or key != self.server_key:
            return refusal(401, 109, "VAPID public key mismatch")
        return None

    def _take_in(self, request: Request, reader: Browser) -> Reply:
        said: dict[str, Any] = {}
        if request.body:
            plaintext = reader.opened(request.body)
            try:
                said = msgspec.json.decode(plaintext, type=dict[str, Any])
            except msgspec.MsgspecError:
                said = {"plaintext": plaintext.decode(errors="replace")}
        message_id = f"m{request.number}-{sha256(request.body).hexdigest()[:16]}"
        taken = Taken(
            reference=str(said.get("reference", "")),
            message_id=message_id,
            address=reader.endpoint,
            delivery=str(said.get("delivery", "")),
            extra={name: str(value) for name, value in said.items()},
        )
        headers = {"Location": f"{self.url}/m/{message_id}", "TTL": request.headers["ttl"]}
        return Reply(201, b"", headers, taken=[taken])


def _malformed(request: Request) -> Reply | None:
    headers = request.headers
    if not headers.get("ttl", "").isdecimal():
        return refusal(400, 111, "Missing TTL value")
    if "topic" in headers and not _TOPIC.fullmatch(headers["topic"]):
        return refusal(400, 113, "Invalid Topic")
    if headers.get("urgency", "normal") not in _URGENCIES:
        return refusal(400, 112, "Invalid Urgency")
    if request.body and headers.get("content-encoding") != "aes128gcm":
        return refusal(400, 110, "Unknown Content-Encoding")
    if len(request.body) > MOST_BODY:
        return refusal(413, 104, "Data payload too large")
    if request.body and not _is_one_record(request.body):
        return refusal(400, 110, "Invalid aes128gcm header")
    return None


def _is_one_record(body: bytes) -> bool:
    """RFC 8291 section 4: salt, a record size that the whole body fits in, a P-256 point as key id."""
    size = int.from_bytes(body[16:20], "big")
    return len(body) > 86 and body[20] == 65 and body[21] == 4 and 86 + size >= len(body)


def browser(token: str) -> Browser:
    """The one behind /wpush/v2/<token>: the same in every process."""
    return Browser(f"{ORIGIN}/wpush/v2/{token}", private_key(token), sha256(f"auth {token}".encode()).digest()[:16])


def address(token: str) -> str:
    """As the service stores it."""
    return msgspec.json.encode(browser(token).subscription).decode()


def private_key(seed: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(sha256(f"key {seed}".encode()).digest()[:31], "big"), ec.SECP256R1())


def public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def refusal(status: int, errno: int, said: str, headers: Mapping[str, str] | None = None) -> Reply:
    body = {"code": status, "errno": errno, "error": "", "message": said, "more_info": ""}
    return Reply(status, msgspec.json.encode(body), headers or {})
