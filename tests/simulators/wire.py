"""What goes between a simulator and its server."""

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec


@dataclass(frozen=True, slots=True)
class Request:
    """`target`: path and query as sent; `headers` by lower-case name; `url`: whole; `connection` and `number` count from 1."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    url: str = ""
    connection: int = 0
    number: int = 0
    version: str = "1.1"

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query, True).items()}

    def json(self) -> Any:
        """Raises msgspec.DecodeError."""
        return msgspec.json.decode(self.body)

    def form(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(self.body.decode(), True).items()}

    def basic(self, username: str, password: str) -> bool:
        """Whether it carries these as basic authentication."""
        expected = b"Basic " + b64encode(f"{username}:{password}".encode())
        return hmac.compare_digest(self.headers.get("authorization", "").encode(), expected)


@dataclass(frozen=True, slots=True)
class Taken:
    """One message of a request. `reference` and `delivery`: ours, as they were found in the request; `message_id`: the provider's;
    `receipts_to`: the URL named in the request, else filled in with the simulator's."""

    reference: str
    message_id: str
    address: str
    delivery: str = ""
    receipts_to: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """`taken`: messages accepted; `refused`: messages seen and not accepted (for the record)."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    taken: Sequence[Taken] = ()
    refused: Sequence[Taken] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """Something to be told about a message: `kind` is an EventKind's value, `at` seconds since 1970."""

    taken: Taken
    kind: str
    at: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What the server is to do with a request. `reply` None: no answer, the connection is closed (HTTP/2: or the stream reset)."""

    reply: Reply | None
    delay: float = 0.0
    drip: float = 0.0
    reset: int = 0
