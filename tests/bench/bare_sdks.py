"""What each provider's own SDK does with the same messages, used as its documentation says, several threads side by side.

Retries are off where an SDK has them: against a simulator that answers they would not be used, but they must not flatter us.
"""

import asyncio
import json
import logging
import os
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import firebase_admin
import httpx
import jwt
import pywebpush
import requests
from firebase_admin import credentials, messaging
from google.auth.transport.requests import Request
from google.oauth2 import credentials as google
from google.oauth2 import service_account
from py_vapid import Vapid
from requests.adapters import HTTPAdapter
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from vonage_http_client import Auth, HttpClient, HttpClientOptions
from vonage_messages import Messages, Sms

from tests.bench import bare_mail
from tests.bench.side_by_side import BODY, TITLE, side_by_side
from tests.simulators.base import Simulator


def apns(sim: Simulator, count: int, streams: int) -> float:
    """httpx over one HTTP/2 connection: Apple has no SDK for servers."""
    return asyncio.run(_apns(sim, count, streams))


async def _apns(sim: Simulator, count: int, streams: int) -> float:
    key = sim.credentials
    claims = {"iss": key["team_id"], "iat": int(time.time())}
    token = jwt.encode(claims, key["key"], algorithm="ES256", headers={"kid": key["key_id"]})
    headers = {"authorization": f"bearer {token}", "apns-topic": sim.settings["topic"], "apns-push-type": "alert"}
    limits = httpx.Limits(max_connections=1)
    context = ssl.create_default_context(cafile=sim.ca_bundle)
    gate = asyncio.Semaphore(streams)
    async with httpx.AsyncClient(http2=True, verify=context, limits=limits, headers=headers, timeout=30) as client:

        async def send(number: int) -> None:
            payload = {"aps": {"alert": {"title": TITLE, "body": BODY}}, "reference": f"at_{number}"}
            async with gate:
                url = f"{sim.url}/3/device/{sim.sample_address(number)}"
                answer = await client.post(url, json=payload, headers={"apns-id": str(uuid4())})
                answer.raise_for_status()

        await asyncio.gather(*map(send, range(streams)))
        began = time.perf_counter()
        await asyncio.gather(*map(send, range(count)))
        return count / (time.perf_counter() - began)


class _Static(credentials.Base):  # type: ignore[misc]
    """An access token as the simulator gives it out."""

    def __init__(self, token: str) -> None:
        self._token = google.Credentials(token)

    def get_credential(self) -> Any:
        return self._token


def fcm(sim: Simulator, count: int, threads: int) -> float:
    app = firebase_admin.initialize_app(_Static(_granted(sim)), {"projectId": "acme-push"}, f"bench-{uuid4()}")
    service = messaging._get_messaging_service(app)
    project = sim.settings.get("project_id") or _project(sim)
    service._fcm_url = f"{sim.url}/v1/projects/{project}/messages:send"
    service._client.session.mount("http://", HTTPAdapter(pool_maxsize=threads, max_retries=0))

    def send(number: int) -> None:
        message = messaging.Message(
            notification=messaging.Notification(TITLE, BODY), data={"reference": f"at_{number}"}
        )
        message.token = sim.sample_address(number)
        messaging.send(message, app=app)

    try:
        return side_by_side(send, count, threads)
    finally:
        firebase_admin.delete_app(app)


def _project(sim: Simulator) -> str:
    return str(json.loads(sim.credentials["service_account"])["project_id"])


def _granted(sim: Simulator) -> str:
    scope = "https://www.googleapis.com/auth/firebase.messaging"
    made = service_account.Credentials.from_service_account_info(
        json.loads(sim.credentials["service_account"]), scopes=[scope]
    )
    made.refresh(Request())
    return str(made.token)


class _Elsewhere(TwilioHttpClient):
    def __init__(self, base: str, threads: int) -> None:
        super().__init__(timeout=10)
        self.base = base
        self.session.mount("http://", HTTPAdapter(pool_maxsize=threads))

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        return super().request(method, url.replace("https://api.twilio.com", self.base), *args, **kwargs)


def twilio(sim: Simulator, count: int, threads: int) -> float:
    return _twilio(sim, count, threads, "")


def _twilio(sim: Simulator, count: int, threads: int, prefix: str) -> float:
    given = sim.credentials
    # it writes several lines for each request, which would cost it dearly where they go to a console
    logging.getLogger("twilio.http_client").setLevel(logging.WARNING)
    client = Client(given["account_sid"], given["auth_token"], http_client=_Elsewhere(sim.url, threads))

    def send(number: int) -> None:
        to, sender = f"{prefix}{sim.sample_address(number)}", f"{prefix}{sim.sender}"
        client.messages.create(to=to, from_=sender, body=f"Person{number}: {BODY}")

    return side_by_side(send, count, threads)


def whatsapp(sim: Simulator, count: int, threads: int) -> float:
    """The same client with other addresses."""
    return _twilio(sim, count, threads, "whatsapp:")


def webpush(sim: Simulator, count: int, threads: int) -> float:
    """pywebpush with a session for all threads. It signs a token for each message, as that is all it can do."""
    key, claims = sim.credentials["private_key"], {"sub": sim.sender, "aud": sim.url, "exp": int(time.time()) + 3600}
    readers = []
    for number in range(1_000):
        reader = json.loads(sim.sample_address(number))
        readers.append(reader | {"endpoint": f"{sim.url}{urlsplit(reader['endpoint']).path}"})
    signer = Vapid.from_string(key)
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(pool_maxsize=threads, max_retries=0))

        def send(number: int) -> None:
            data = json.dumps({"title": TITLE, "body": BODY, "reference": f"at_{number}"})
            pywebpush.webpush(
                readers[number % len(readers)], data, signer, dict(claims), ttl=3600, timeout=10,
                requests_session=session,
            )  # fmt: skip

        return side_by_side(send, count, threads)


def vonage(sim: Simulator, count: int, threads: int) -> float:
    """A client for each thread: it is not to be shared, and repeats a POST as often as its pool has connections."""
    os.environ["REQUESTS_CA_BUNDLE"] = sim.ca_bundle
    given, clients = sim.credentials, threading.local()

    def send(number: int) -> None:
        if not hasattr(clients, "client"):
            auth = Auth(api_key=given["api_key"], api_secret=given["api_secret"])
            options = HttpClientOptions(
                api_host=sim.url.removeprefix("https://"), timeout=10, pool_maxsize=1, max_retries=0
            )
            clients.client = Messages(HttpClient(auth, options))
        to = sim.sample_address(number).removeprefix("+")
        clients.client.send(Sms(to=to, from_=sim.sender, text=BODY, client_ref=f"at_{number}"))

    try:
        return side_by_side(send, count, threads)
    finally:
        del os.environ["REQUESTS_CA_BUNDLE"]


BARE: dict[str, Callable[[Simulator, int, int], float]] = {
    "apns": apns,
    "fcm": fcm,
    "webpush": webpush,
    "twilio": twilio,
    "whatsapp": whatsapp,
    "vonage": vonage,
    "postmark": bare_mail.postmark,
    "sendgrid": bare_mail.sendgrid,
    "mailgun": bare_mail.mailgun,
    "ses": bare_mail.ses,
    "smtp": bare_mail.smtp,
}
