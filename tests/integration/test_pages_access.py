"""Who gets in, by what right, and what the pages keep to themselves."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client

from apps.core import clock
from apps.core.buckets import Verdict
from apps.inbox.tokens import mint
from apps.pages import visitors
from apps.preferences import links
from apps.preferences.models import Preference
from tests.integration.dispatch_cast import endpoint, person, tenant
from tests.integration.pages_cast import Browser, catalogue

pytestmark = pytest.mark.django_db
PATHS = ("", "messages/", "would-i-get-it", "data.json", "delete")


@pytest.fixture
def rosa() -> UUID:
    catalogue()
    recipient = person()
    endpoint(recipient)
    return recipient


def token(recipient: UUID, *, ago: timedelta = timedelta(0)) -> str:
    hour = timedelta(hours=1)
    return mint(tenant_id=tenant(), recipient_id=recipient, expires_in=hour, now=clock.now() - ago)[0]


@pytest.mark.parametrize("path", PATHS)
def test_nobody_gets_in_without_a_link(rosa: UUID, path: str) -> None:
    for key in ("x", "me", links.unsubscribe_token(rosa, rosa, "*"), links.settings_token(rosa)[:-1]):
        answer = Client().get(f"/preferences/{key}/{path}")
        assert answer.status_code == (403 if key == "me" else 404)
        assert "rosa" not in answer.content.decode()


@pytest.mark.parametrize("path", PATHS)
def test_every_page_keeps_the_link_a_secret(rosa: UUID, path: str) -> None:
    answer = Browser(rosa).get(path)
    assert answer.status_code == 200
    assert (answer["Cache-Control"], answer["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert answer["X-Robots-Tag"] == "noindex, nofollow" and answer["X-Content-Type-Options"] == "nosniff"
    assert "Accept-Language" in answer["Vary"]
    if not path.endswith("json"):
        policy = answer["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert "http:" not in policy and "https:" not in policy


def test_a_form_is_bound_to_what_opened_the_page(rosa: UUID) -> None:
    client, mine = Client(), Browser(rosa)
    foreign = Browser(person("otto")).get().context["visitor"].form_key
    for key in ("", foreign, "x" * 40):
        answer = client.post(mine.url + "change", {"form_key": key, "do": "marketing_off"})
        assert answer.status_code == 403 and "Nothing was changed" in answer.content.decode()
        assert client.post(mine.url + "delete", {"form_key": key, "sure": "yes"}).status_code == 403
    assert not Preference.objects.all_tenants().exists()


def test_a_get_changes_nothing(rosa: UUID) -> None:
    mine = Browser(rosa)
    key = mine.get().context["visitor"].form_key
    assert mine.client.get(mine.url + "change", {"form_key": key, "do": "marketing_off"}).status_code == 405
    assert mine.client.get(mine.url + "delete", {"form_key": key, "sure": "yes"}).status_code == 200
    assert not Preference.objects.all_tenants().exists() and mine.get().status_code == 200


def test_the_tenants_own_token_opens_the_page_and_leaves_the_address(rosa: UUID) -> None:
    client = Client()
    answer = client.get("/preferences/", {"token": token(rosa), "lang": "de"})
    assert (answer.status_code, answer["Location"]) == (302, "/preferences/me/?lang=de")
    cookie = answer.cookies["ntf_recipient"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/preferences/")
    assert 3_590 <= int(cookie["max-age"]) <= 3_600
    page = client.get("/preferences/me/")
    assert page.status_code == 200 and page.context["visitor"].recipient.id == rosa
    form = {"form_key": page.context["visitor"].form_key, "do": "marketing_off"}
    assert client.post("/preferences/me/change", form).status_code == 303
    assert Client().post("/preferences/me/change", form).status_code == 403
    assert Preference.objects.all_tenants().get().source == "settings_page"


def test_a_token_that_is_over_says_so(rosa: UUID) -> None:
    answer = Client().get("/preferences/", {"token": token(rosa, ago=timedelta(hours=2))})
    assert answer.status_code == 403 and "You have been away for a while" in answer.content.decode()
    assert Client().get("/preferences/").status_code == 404


def test_an_inbox_token_is_no_link_and_a_link_is_no_inbox_token(rosa: UUID) -> None:
    assert Client().get(f"/preferences/{token(rosa)}/").status_code == 404
    assert Client().get("/preferences/", {"token": links.settings_token(rosa)}).status_code == 403


def test_whoever_is_too_fast_is_asked_to_wait(rosa: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "take", lambda buckets: Verdict(False, 1.0, ()))
    mine = Browser(rosa)
    answer = mine.get()
    assert (answer.status_code, answer["Retry-After"]) == (429, "5")
    assert "That was very quick" in answer.content.decode()
    assert mine.client.post(f"/unsubscribe/{links.unsubscribe_token(rosa, rosa, '*')}").status_code == 429


def test_guessing_is_slow(rosa: UUID) -> None:
    client = Client(REMOTE_ADDR="10.9.8.7")
    codes = [client.get(f"/preferences/guess{n}/").status_code for n in range(visitors.GUESS_BURST + 2)]
    assert codes[0] == 404 and codes[-1] == 429


@pytest.mark.parametrize(("is_behind", "found"), [(True, "9.9.9.9"), (False, "127.0.0.1")])
def test_the_address_is_the_one_that_our_own_proxy_saw(
    rosa: UUID, settings: object, is_behind: bool, found: str
) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if is_behind else None  # type: ignore[attr-defined]
    page = Client(headers={"x-forwarded-for": "6.6.6.6, 9.9.9.9"}).get(Browser(rosa).url)
    assert page.context["visitor"].address == found


def test_the_paths_are_those_that_messages_carry(rosa: UUID) -> None:
    from django.conf import settings
    from django.urls import resolve

    urls = [links.settings_url(rosa), links.unsubscribe_url(rosa, rosa, "*"), links.view_url(rosa)]
    paths = [url.removeprefix(settings.PUBLIC_URL) for url in urls]
    assert [resolve(path).url_name for path in paths] == ["recipient-settings", "unsubscribe", "view-in-browser"]
