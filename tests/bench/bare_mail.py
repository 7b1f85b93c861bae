"""The email SDKs doing what our adapters do: a text for each, hence a call for each, on kept connections."""

import threading
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import localtime
from typing import Any
from urllib.parse import urlsplit

import boto3
from anymail.message import AnymailMessage
from botocore.config import Config
from django.core.mail import EmailMultiAlternatives, get_connection

from tests.bench.side_by_side import BODY, side_by_side
from tests.simulators.base import Simulator

HTML = f"<p>Hello,</p><p>{BODY}</p>"


def postmark(sim: Simulator, count: int, width: int) -> float:
    """anymail has no batch for different texts; two connections side by side, as ours."""
    return _anymail(sim, count, 2, lambda: _postmark(sim))


def sendgrid(sim: Simulator, count: int, width: int) -> float:
    given = {"api_key": sim.credentials["api_key"], "api_url": f"{sim.url}/v3/"}
    return _anymail(sim, count, width, lambda: _opened("sendgrid", **given))


def mailgun(sim: Simulator, count: int, width: int) -> float:
    given = {"api_key": sim.credentials["api_key"], "sender_domain": sim.settings["domain"], "api_url": f"{sim.url}/v3"}
    return _anymail(sim, count, width, lambda: _opened("mailgun", **given))


def ses(sim: Simulator, count: int, width: int) -> float:
    """boto3, one client for all threads, without its retries."""
    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=width)
    client = boto3.client(
        "sesv2",
        region_name=sim.settings["region"],
        endpoint_url=sim.url,
        aws_access_key_id=sim.credentials["access_key_id"],
        aws_secret_access_key=sim.credentials["secret_access_key"],
        config=config,
    )

    def send(number: int) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = sim.sender, sim.sample_address(number), f"Order R-{number}"
        mail["Date"] = localtime()
        mail.set_content(BODY)
        mail.add_alternative(HTML, subtype="html")
        client.send_email(
            Destination={"ToAddresses": [sim.sample_address(number)]},
            Content={"Raw": {"Data": mail.as_bytes()}},
            ConfigurationSetName=sim.settings["configuration_set"],
            EmailTags=[{"Name": "reference", "Value": f"at_{number}"}],
        )

    return side_by_side(send, count, width)


def smtp(sim: Simulator, count: int, width: int) -> float:
    """Django's backend on two kept connections, as ours; one letter after the other on each."""
    url = urlsplit(sim.url)
    lines = threading.local()

    def send(number: int) -> None:
        if not hasattr(lines, "line"):
            lines.line = get_connection("django.core.mail.backends.smtp.EmailBackend", host=url.hostname, port=url.port)
            lines.line.open()
        mail = EmailMultiAlternatives(f"Order R-{number}", BODY, sim.sender, [sim.sample_address(number)])
        mail.attach_alternative(HTML, "text/html")
        lines.line.send_messages([mail])

    return side_by_side(send, count, 2)


def postmark_batches(sim: Simulator, count: int) -> float:
    """anymail, one text for all: batches of 500."""
    line = _postmark(sim)
    began = time.perf_counter()
    for first in range(0, count, 500):
        to = [sim.sample_address(number) for number in range(first, first + 500)]
        mail = AnymailMessage("Order R-7", BODY, sim.sender, to, connection=line)
        mail.attach_alternative(HTML, "text/html")
        mail.merge_metadata = {address: {"reference": f"at_{number}"} for number, address in enumerate(to)}
        mail.send()
    return count / (time.perf_counter() - began)


def _anymail(sim: Simulator, count: int, threads: int, opened: Callable[[], Any]) -> float:
    """A connection for each thread: anymail's are not to be shared."""
    lines = threading.local()

    def send(number: int) -> None:
        if not hasattr(lines, "line"):
            lines.line = opened()
        mail = AnymailMessage(
            f"Order R-{number}", BODY, sim.sender, [sim.sample_address(number)], connection=lines.line
        )
        mail.attach_alternative(HTML, "text/html")
        mail.metadata = {"reference": f"at_{number}"}
        mail.send()

    return side_by_side(send, count, threads)


def _postmark(sim: Simulator) -> Any:
    return _opened("postmark", server_token=sim.credentials["server_token"], api_url=f"{sim.url}/")


def _opened(name: str, **given: str) -> Any:
    line = get_connection(f"anymail.backends.{name}.EmailBackend", **given)
    line.open()
    return line
