"""An SES account, and a server that is SNS to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import ClassVar

import msgspec
import pytest

from apps.channels import sns_certificates, transport
from apps.core.enums import Channel
from apps.core.types import Account
from tests.contract.conformance import ProviderCase
from tests.contract.scripted import Seen, answer, scripted
from tests.simulators import sns

KEY, SECRET, REGION = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "eu-west-1"


@cache
def signer() -> sns.Signer:
    return sns.Signer()


@cache
def stranger() -> sns.Signer:
    return sns.Signer()


class SesCase(ProviderCase):
    name = "ses"
    channel = Channel.EMAIL
    credentials: ClassVar[dict[str, str]] = {"access_key_id": KEY, "secret_access_key": SECRET}
    origin = ""
    fetched: list[Seen]

    @property
    def settings(self) -> dict[str, object]:  # type: ignore[override]
        own = {"sns_url": self.origin} if self.origin else {}
        return {"region": REGION, "configuration_set": "notifier", "topic_arns": [sns.TOPIC], **own}

    @pytest.fixture(autouse=True)
    def _fresh(self) -> Iterator[None]:
        sns_certificates.forget_cached()
        yield
        sns_certificates.forget_cached()
        transport.close_connections()

    @contextmanager
    def sns_server(self, certificate: bytes | None = None, status: int = 200) -> Iterator[None]:
        """Serves the certificate; what it was asked is in `fetched`."""
        with scripted(answer(status, signer().certificate if certificate is None else certificate)) as server:
            self.origin, self.fetched = server.url, server.requests
            yield

    def own(self) -> Account:
        return self.account("http://127.0.0.1:9")


def said(code: str, message: str = "No.") -> bytes:
    """An error's body, with its name in it."""
    return msgspec.json.encode({"__type": f"com.amazonaws.sesv2#{code}", "message": message})
