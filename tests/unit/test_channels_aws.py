"""What botocore reads of Amazon's services is read once, however many requests begin together."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import sleep
from typing import Any
from uuid import uuid4

import botocore.session
import pytest

from apps.channels import aws
from apps.core.enums import Channel
from apps.core.types import Account

AT_ONCE = 16


def account(base_url: str = "") -> Account:
    keys = {"access_key_id": "AKIA", "secret_access_key": "secret"}
    return Account(
        uuid4(), "ses", "ses", Channel.EMAIL, base_url, "", credentials=keys, settings={"region": "eu-central-1"}
    )


@pytest.mark.parametrize("base_url", ["http://ses.test", ""])
def test_requests_that_begin_together_read_a_service_once(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    aws._model.cache_clear()
    aws._endpoint.cache_clear()
    made: list[str] = []
    real, together = botocore.session.Session, Barrier(AT_ONCE)

    def session() -> Any:
        made.append("session")
        sleep(0.05)
        return real()

    monkeypatch.setattr(botocore.session, "Session", session)

    def write(number: int) -> str:
        together.wait(10)
        content = {"Raw": {"Data": b"mail"}}
        request = aws.operation(account(base_url), "sesv2", "SendEmail", {"Content": content})
        return aws.signed(account(base_url), "sesv2", request).url

    with ThreadPoolExecutor(AT_ONCE) as pool:
        urls = set(pool.map(write, range(AT_ONCE)))
    assert len(urls) == 1
    # one for the service, one for the region's address where the account says none
    assert len(made) == (1 if base_url else 2)
