"""The catalogue and its page, the schedule, and which URLs may be called."""

import json
import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from standardwebhooks import Webhook

from apps.core.enums import DeliveryStatus, Reason
from apps.core.problems import Problem
from apps.ledger.lifecycle import FINAL
from apps.webhooks import guard, pacing, signing
from apps.webhooks.catalogue import DEFAULT, SOURCES, TYPES, WebhookType
from apps.webhooks.payloads import example_body

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs" / "webhooks.md").read_text()
NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("kind", WebhookType)
def test_the_page_shows_every_event_with_its_example(kind: WebhookType) -> None:
    assert f"| `{kind}` | {kind.sentence} |" in PAGE
    section = PAGE.split(f"\n### {kind}\n")[1].split("\n### ")[0]
    (shown,) = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
    assert json.loads(shown) == json.loads(example_body(kind))


def test_the_page_shows_no_other_event_and_the_schedule_of_the_code() -> None:
    assert set(re.findall(r"^### (\S+\.\S+)$", PAGE, re.MULTILINE)) == set(WebhookType)
    assert "5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h" in PAGE
    assert pacing.WAITS == (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
    assert (timedelta(days=5), timedelta(days=30)) == (pacing.OFF_AFTER, pacing.KEPT)
    for said in ("5 days", "30 days", "15 seconds", "3 seconds"):
        assert said in PAGE
    assert (pacing.TOTAL_SECONDS, pacing.CONNECT_SECONDS) == (15.0, 3.0)


def test_every_type_has_one_source_and_acceptance_is_told_on_request_only() -> None:
    assert set(SOURCES) == set(WebhookType) == set(TYPES.values())
    assert set(WebhookType) - set(DEFAULT) == {WebhookType.NOTIFICATION_ACCEPTED}


def test_every_end_that_a_message_can_have_is_told() -> None:
    ends = FINAL | {DeliveryStatus.SENT, DeliveryStatus.UNKNOWN}
    assert {f"status.{status}" for status in ends} == {source for source in TYPES if source.startswith("status.")}


def test_a_reason_comes_with_its_sentence() -> None:
    data = json.loads(example_body(WebhookType.MESSAGE_SKIPPED))["data"]
    assert (data["reason"], data["sentence"]) == ("topic_off", Reason.TOPIC_OFF.sentence)


@pytest.mark.parametrize(
    ("tries", "asked", "chance", "seconds"),
    [
        (1, None, 0.0, 5),
        (1, None, 1.0, 5.5),
        (9, None, 0.0, 86_400),
        (10, None, 0.0, None),
        (10, 60.0, 0.0, None),
        (1, 60.0, 1.0, 60),
        (3, 60.0, 0.0, 1_800),
        (9, 1e9, 0.5, 95_040),
    ],
)
def test_the_schedule(tries: int, asked: float | None, chance: float, seconds: float | None) -> None:
    assert pacing.wait_after(tries, asked, chance) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("is_success", "seconds", "was_quick", "is_quick"),
    [
        (True, 0.1, False, True),
        (True, 3, False, False),
        (True, 3, True, True),
        (True, 6, True, False),
        (False, 0.1, True, False),
    ],
)
def test_who_is_quick(is_success: bool, seconds: float, was_quick: bool, is_quick: bool) -> None:
    assert pacing.is_quick(is_success, seconds, was_quick) == is_quick


def test_receivers_with_the_public_library_verify_what_is_signed() -> None:
    now = datetime.now(UTC)
    first, second = signing.new_secret(), signing.new_secret()
    body = example_body(WebhookType.MESSAGE_SENT).encode()
    headers = signing.headers([second, first], message_id="evt_1", now=now, body=body)
    for secret in (first, second):
        assert Webhook(secret).verify(body, headers) == json.loads(body)
    with pytest.raises(Exception, match="No matching signature found"):
        Webhook(signing.new_secret()).verify(body, headers)
    with pytest.raises(Exception, match="No matching signature found"):
        Webhook(first).verify(body.replace(b"sent", b"seen"), headers)


def test_a_secret_signs_beside_its_successor_until_its_time_is_over() -> None:
    for until, names in ((None, ["b"]), (NOW, ["b"]), (NOW + timedelta(seconds=1), ["b", "a"])):
        assert signing.valid(["b", "a"], until, NOW) == names


REFUSED = [
    "",
    "example.com/hooks",
    "ftp://93.184.215.14/",
    "http://93.184.215.14/",
    "https://93.184.215.14:8080/",
    "https://93.184.215.14:0/",
    "https://93.184.215.14:99999/",
    "https:///hooks",
    "https://user@93.184.215.14/",
    "https://:secret@93.184.215.14/",
    "https://93.184.215.14/#part",
    "https://93.184.215.14/a b",
    "https://93.184.215.14\\@127.0.0.1/",
    "https://93.184.215.14/\r\nHost: x",
    "https://exämple.com/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://localhost/",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://192.0.2.1/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[ff02::1]/",
    "https://[2001:db8::1]/",
    "https://[5f00::1]/",
]


@pytest.mark.parametrize("url", REFUSED)
def test_it_refuses_to_call(url: str) -> None:
    with pytest.raises(Problem) as refused:
        guard.check_url(url)
    assert (refused.value.code, refused.value.errors[0].pointer) == ("webhook_url_refused", "/url")
    assert refused.value.detail.endswith(".") and "127" not in refused.value.detail


@pytest.mark.parametrize(
    "url", ["https://93.184.215.14/hooks?a=b", "https://93.184.215.14:8443/", "https://[2606:4700:4700::1111]/"]
)
def test_it_calls_public_addresses_over_https(url: str) -> None:
    guard.check_url(url)


def test_one_private_address_of_a_name_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*addresses: str) -> Any:
        return lambda *_: [(0, 0, 0, "", (address, 443)) for address in addresses]

    monkeypatch.setattr(guard, "resolve", found("8.8.8.8", "2606:4700:4700::1111"))
    guard.check_url("https://hooks.example/")
    for addresses in (("8.8.8.8", "10.0.0.1"), ("::1", "8.8.8.8"), ()):
        monkeypatch.setattr(guard, "resolve", found(*addresses))
        with pytest.raises(Problem):
            guard.check_url("https://hooks.example/")


def test_networks_of_the_settings_may_be_called_by_http_and_others_still_may_not() -> None:
    with override_settings(WEBHOOK_ALLOWED_NETWORKS=(ip_network("127.0.0.0/8"),)):
        guard.check_url("http://127.0.0.1:9000/hooks")
        guard.check_url("https://93.184.215.14/")
        for url in (
            "http://93.184.215.14/",
            "https://93.184.215.14:9000/",
            "https://10.0.0.1/",
            "https://[::ffff:127.0.0.1]/",
        ):
            with pytest.raises(Problem):
                guard.check_url(url)
