"""As much of HTTP/1.1 as the sandbox needs: one request read whole, one reply written (RFC 9112). No chunked requests."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

HEADER_LIMIT = 16 * 1024
BODY_LIMIT = 32 * 1024 * 1024


class BadRequestError(Exception):
    """What came is not a request that this server can read."""


@dataclass(frozen=True, slots=True)
class Request:
    """`headers` by lower-case name; of a repeated query parameter the last one counts."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            "Content-Type: application/json",
            f"Content-Length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request, or None when the peer has closed. Raises BadRequestError."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        start, *lines = head[:-4].decode("latin-1").split("\r\n")
        method, target, _ = start.split(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
    except asyncio.IncompleteReadError:
        return None
    except (ValueError, asyncio.LimitOverrunError) as error:
        raise BadRequestError("The head of the request is not readable.") from error
    if not 0 <= length <= BODY_LIMIT or "transfer-encoding" in headers:
        raise BadRequestError(f"Send a Content-Length of at most {BODY_LIMIT}.")
    try:
        body = await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return None
    url = urlsplit(target)
    query = {name: values[-1] for name, values in parse_qs(url.query).items()}
    return Request(method, url.path, query, headers, body)
