"""The story against an API of canned answers: what it sends, what it prints, and its verdict."""

import io
import json
from typing import Any

import pytest
import responses
from requests import ConnectionError as Refused

from notifier.local.console import Console
from notifier.local.story import Demo, Story, Verdict

URL = "http://127.0.0.1:8000"
DEMO: Demo = {
    "tenant": "demo",
    "test_key": "ntf_test_x",
    "admin_user": "admin",
    "admin_password": "pw",
    "rider": "u_rider",
    "contact": "u_contact",
}
CHANNELS = {"u_rider": ["push", "email", "in_app"], "u_contact": ["sms"]}


def entry(kind: str, text: str, channel: str | None = None, at: str = "2026-05-01T10:00:00.000Z") -> dict[str, Any]:
    return {"at": at, "kind": kind, "channel": channel, "delivery_id": None, "text": text, "detail": {}}


def timeline(user: str, status: str, *entries: dict[str, Any], reason: str = "") -> dict[str, Any]:
    return {
        "notification_id": f"nt_{user}",
        "status": status,
        "channels": [
            {"channel": one, "delivery_id": "dl_1", "status": status, "reason": None, "reason_text": reason}
            for one in CHANNELS[user]
        ],
        "entries": [entry("accepted", "Accepted."), *entries],
    }


def accept(api: responses.RequestsMock) -> None:
    made = [
        {"user_id": user, "notification_id": f"nt_{user}", "timeline_url": f"{URL}/timeline/{user}"}
        for user in CHANNELS
    ]
    api.post(f"{URL}/v1/notifications", json={"notifications": made}, status=202)


def tell(patience: float = 5.0) -> tuple[Verdict, list[str], Story, io.StringIO]:
    paper = io.StringIO()
    story = Story(URL, DEMO, Console(paper, colour=False), patience=patience)
    verdict = story.play()
    return verdict, paper.getvalue().splitlines(), story, paper


@pytest.fixture
def api() -> Any:
    with responses.RequestsMock() as mock:
        yield mock


def test_it_sends_one_call_for_two_people_with_the_test_key(api: responses.RequestsMock) -> None:
    accept(api)
    for user in CHANNELS:
        api.get(f"{URL}/timeline/{user}", json=timeline(user, "delivered"))
    verdict, _, _, _ = tell()
    assert verdict == Verdict(True)
    sent = api.calls[0].request
    body = json.loads(sent.body or "")
    assert sent.headers["Authorization"] == "Bearer ntf_test_x"
    assert len(sent.headers["Idempotency-Key"]) == 36
    assert body["event_type"] == "ride.booked"
    assert body["event_id"].startswith("ride-")
    assert body["recipients"] == [{"user_id": user, "channels": channels} for user, channels in CHANNELS.items()]
    assert body["data"]["ride"]["pickup"] == "Alexanderplatz 3"


def test_it_tells_each_entry_once_with_the_time_since_it_was_accepted(api: responses.RequestsMock) -> None:
    accept(api)
    later = "2026-05-01T10:00:01.250Z"
    for user in CHANNELS:
        api.get(f"{URL}/timeline/{user}", json=timeline(user, "sent"))
        done = entry("delivered", "The provider reported delivery.", CHANNELS[user][0], later)
        api.get(f"{URL}/timeline/{user}", json=timeline(user, "delivered", done))
    verdict, lines, _, _ = tell()
    assert verdict.delivered
    assert lines[3:] == [
        "       +0 ms  u_rider            accepted   Accepted.",
        "       +0 ms  u_contact          accepted   Accepted.",
        "    +1250 ms  u_rider    push    delivered  The provider reported delivery.",
        "    +1250 ms  u_contact  sms     delivered  The provider reported delivery.",
    ]


def test_a_delivery_that_is_not_delivered_is_named_with_its_reason(api: responses.RequestsMock) -> None:
    accept(api)
    api.get(f"{URL}/timeline/u_rider", json=timeline("u_rider", "delivered"))
    api.get(
        f"{URL}/timeline/u_contact",
        json=timeline("u_contact", "skipped", entry("skipped", "Skipped: opted out."), reason="The person opted out."),
    )
    verdict, _, _, _ = tell()
    assert verdict == Verdict(
        False, "sms to u_contact is skipped (The person opted out.); the last entry: Skipped: opted out."
    )


def test_a_delivery_that_was_never_made_is_missed_when_patience_ends(api: responses.RequestsMock) -> None:
    accept(api)
    api.get(f"{URL}/timeline/u_rider", json=timeline("u_rider", "delivered"))
    api.get(f"{URL}/timeline/u_contact", json={**timeline("u_contact", "queued"), "channels": []})
    verdict, _, _, _ = tell(patience=0.3)
    assert verdict == Verdict(False, "sms to u_contact: no delivery was made; the last entry: Accepted.")


def test_a_refused_call_is_the_verdict(api: responses.RequestsMock) -> None:
    api.post(f"{URL}/v1/notifications", json={"code": "unauthorized"}, status=401)
    verdict, _, _, _ = tell()
    assert not verdict.delivered
    assert 'POST /v1/notifications answered 401: {"code": "unauthorized"}' in verdict.reason


def test_a_timeline_that_cannot_be_reached_for_a_moment_is_asked_again(api: responses.RequestsMock) -> None:
    accept(api)
    for user in CHANNELS:
        api.get(f"{URL}/timeline/{user}", body=Refused("refused"))
        api.get(f"{URL}/timeline/{user}", json=timeline(user, "delivered"))
    verdict, _, _, _ = tell()
    assert verdict == Verdict(True)


def test_the_afterword_has_commands_that_work_when_pasted(api: responses.RequestsMock) -> None:
    accept(api)
    for user in CHANNELS:
        api.get(f"{URL}/timeline/{user}", json=timeline(user, "delivered"))
    api.post(f"{URL}/v1/users/u_rider/inbox-tokens", json={"token": "a-token"}, status=201)
    api.post(f"{URL}/v1/users/u_rider/preference-links", json={"url": f"{URL}/preferences/x/"}, status=201)
    _, _, story, paper = tell()
    story.afterword()
    lines = [line.strip() for line in paper.getvalue().splitlines()]
    assert f"API reference     {URL}/docs    try it out: {URL}/docs/try" in lines
    assert (
        f"Campaigns         {URL}/admin/campaigns/campaign/    50,000 people, one campaign on its way: in a minute"
        in lines
    )
    assert f"Admin             {URL}/admin/    user admin, password pw" in lines
    assert f"The rider's page  {URL}/preferences/x/    what to get, when, and why not" in lines
    curls = [line for line in lines if line.startswith("curl")]
    assert curls[0].startswith(
        f"curl -sS {URL}/v1/notifications -H 'Authorization: Bearer ntf_test_x' "
        '-H \'Content-Type: application/json\' -d \'{"event_type": "ride.booked", '
    )
    assert curls[1] == f"curl -sS {URL}/v1/inbox -H 'Authorization: Bearer a-token'"
