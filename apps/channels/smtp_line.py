"""Django's SMTP backend under a deadline, with a note of whether the content of the current message went out whole."""

import smtplib
import ssl
from typing import Any

from django.core.mail.backends.smtp import EmailBackend

from apps.channels.deadlines import Deadline, clocked

_END_OF_CONTENT = b"\r\n.\r\n"


class _Line:
    """Mixed into smtplib's clients. `is_content_sent`: the end of the current message's content was handed to the kernel;
    from then on a missing reply means doubt."""

    sock: Any
    file: Any

    def __init__(self, *args: Any, deadline: Deadline, **kwargs: Any) -> None:
        self.is_content_sent = False
        self._deadline = deadline
        super().__init__(*args, **kwargs)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = clocked(self.sock, self._deadline)
        return super().getreply()  # type: ignore[misc,no-any-return]

    def send(self, s: Any) -> None:
        """smtplib sends commands as text, content as bytes."""
        if self.sock is not None:
            self.sock.settimeout(self._deadline.wait_for_peer())
        super().send(s)  # type: ignore[misc]
        if isinstance(s, bytes) and s.endswith(_END_OF_CONTENT):
            self.is_content_sent = True


class _Plain(_Line, smtplib.SMTP):
    pass


class _Tls(_Line, smtplib.SMTP_SSL):
    pass


class SmtpBackend(EmailBackend):
    """`helo`: the name we greet with; Django would look up this machine's, which may hang in the resolver."""

    connection: Any

    def __init__(self, *, deadline: Deadline, ca_bundle: str, helo: str, **kwargs: Any) -> None:
        super().__init__(fail_silently=False, **kwargs)
        self._deadline = deadline
        self._ca_bundle = ca_bundle
        self._helo = helo

    def open(self) -> bool:
        """Connects, secures and logs in, if not done. Raises OSError or SMTPException; then call `hang_up`."""
        if self.connection is not None:
            return False
        secured = {"context": self._tls()} if self.use_ssl else {}
        kind: Any = _Tls if self.use_ssl else _Plain
        self.connection = kind(
            self.host,
            self.port,
            local_hostname=self._helo,
            timeout=self._deadline.wait_to_connect(),
            deadline=self._deadline,
            **secured,
        )
        if self.use_tls:
            self.connection.starttls(context=self._tls())
        if self.username and self.password:
            self.connection.login(self.username, self.password)
        return True

    def hang_up(self) -> None:
        """Says goodbye if there is time, and closes in any case."""
        line, self.connection = self.connection, None
        if line is None:
            return
        try:
            line.quit()
        except (OSError, smtplib.SMTPException):
            line.close()

    @property
    def is_content_sent(self) -> bool:
        return self.connection is not None and self.connection.is_content_sent

    def begin_message(self) -> None:
        self.connection.is_content_sent = False

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._ca_bundle or None)
