"""A mail relay that misbehaves on demand: aiosmtpd with scripts, for one test at a time."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


@dataclass
class Relay:
    """`on_mail`, `on_recipient`, `on_data`: the reply, by default yes; `drop` closes the connection, `hang` never replies.
    A reply may depend on the address: `{"rosa1@example.com": "550 ..."}`."""

    on_mail: str = "250 OK"
    on_recipient: dict[str, str] = field(default_factory=dict)
    on_data: dict[str, str] = field(default_factory=dict)
    port: int = 0
    connections: int = 0
    taken: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if self.on_mail.startswith("250"):
            envelope.mail_from = address
        return await _reply(server, self.on_mail)

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        reply = self.on_recipient.get(address, "250 OK")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return await _reply(server, reply)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        self.taken.append(message_from_bytes(content, policy=policy.default))  # type: ignore[arg-type]
        self.envelopes.append((envelope.mail_from or "", list(envelope.rcpt_tos)))
        return await _reply(server, self.on_data.get(envelope.rcpt_tos[0], "250 2.0.0 OK"))

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        self.logins.append(data.login.decode())
        return AuthResult(success=data.password == b"right", handled=False)


async def _reply(server: SMTP, reply: str) -> str:
    if reply == "drop":
        assert server.transport is not None
        server.transport.close()
    if reply in {"drop", "hang"}:
        await asyncio.Event().wait()
    return reply


@contextmanager
def relay(*, with_login: bool = False, **replies: Any) -> Iterator[Relay]:
    """A relay on a free port, in a thread of its own."""
    told = Relay(**replies)
    login = {"authenticator": told.authenticate, "auth_require_tls": False} if with_login else {}

    def session() -> SMTP:
        told.connections += 1
        return SMTP(told, hostname="relay.test", loop=loop, **login)

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(session, "127.0.0.1", 0))
    told.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield told
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _close(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
