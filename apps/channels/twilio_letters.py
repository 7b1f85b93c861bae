"""The SDK of Twilio as a writer of letters: it says what goes on the wire, and sends nothing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import requests
import twilio.rest.api.v2010.account  # noqa: F401 (the SDK itself would load it within the first message's deadline)
from twilio.rest import Client

from apps.channels.transport import HttpRequest
from apps.core.types import Account

API = "https://api.twilio.com"


class _Noted(Exception):
    def __init__(self, request: HttpRequest) -> None:
        super().__init__("noted")
        self.request = request


class _Pen:
    """An HttpClient of the SDK's that notes the request instead of making it."""

    def request(
        self,
        method: str,
        url: str,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        auth: Any = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> NoReturn:
        letter = requests.Request(method, url, params=params, data=data, headers=headers, auth=auth).prepare()
        kept = {name: value for name, value in letter.headers.items() if name != "Content-Length"}
        body = letter.body or b""
        raise _Noted(HttpRequest(str(letter.url), body.encode() if isinstance(body, str) else body, kept, method))


def login(account: Account) -> tuple[str, str]:
    """API key and secret when there is a key, else the account's SID and token; empty strings for what is missing."""
    found = account.credentials
    if found.get("api_key"):
        return found["api_key"], found.get("api_secret", "")
    return found.get("account_sid", ""), found.get("auth_token", "")


def written(account: Account, call: Callable[[Any], object]) -> HttpRequest:
    """The request that `call` makes of the SDK's client, addressed to the account's base_url when it has one."""
    username, password = login(account)
    region, edge = (None if account.base_url else account.settings.get(name) for name in ("region", "edge"))
    # an empty environment would be taken for none, and then the process's own credentials for the account's
    environment = {"TWILIO_REGION": ""}
    sid = account.credentials.get("account_sid")
    try:
        call(Client(username, password, sid, region, _Pen(), environment, edge))
    except _Noted as noted:
        request = noted.request
        return replace(request, url=request.url.replace(API, account.base_url, 1)) if account.base_url else request
    raise AssertionError("The SDK made no request.")
