"""The demo tenant: complete, sendable, and the same after a second run."""

import json
import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command
from django.test import override_settings

from apps.audience.models import Endpoint, Recipient
from apps.channels.sandbox.behaviour import BEHAVIOURS
from apps.core.enums import Channel, KeyMode, Scope
from apps.core.types import Recipient as Person
from apps.events.selectors import event_type_page
from apps.ingest.management import demo_content, demo_digests
from apps.templates import models, sms
from apps.templates.parsed import forget_kept
from apps.templates.proving import sample_context
from apps.templates.rendering import context_of, locale_chain, published, render
from apps.tenants.models import ApiKey
from apps.tenants.selectors import caller_by_token, forget_cached, tenant_by_slug

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh() -> None:
    forget_cached()
    forget_kept()


def seed(out: Path) -> dict[str, str]:
    call_command("seed_demo", out=out, stderr=StringIO())
    found: dict[str, str] = json.loads(out.read_text())
    return found


def channels(person: Recipient) -> list[str]:
    return sorted(Endpoint.objects.filter(recipient_id=person.id).values_list("channel", flat=True))


def counts() -> list[int]:
    tables: list[Any] = [models.TemplateVersion, models.TemplateVariant, Recipient, Endpoint, ApiKey, get_user_model()]
    return [table.objects.count() for table in tables]


def test_it_makes_a_tenant_that_can_send(tmp_path: Path) -> None:
    out = tmp_path / "demo.json"
    demo = seed(out)
    assert set(demo) == {"tenant", "test_key", "admin_user", "admin_password", "rider", "contact"}
    assert (demo["tenant"], demo["rider"], demo["contact"]) == ("demo", "u_rider", "u_contact")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    caller = caller_by_token(demo["test_key"])
    assert caller is not None
    assert (caller.tenant.name, caller.tenant.email_from) == ("Demo Rides", "Demo Rides <rides@demo.test>")
    assert (caller.mode, caller.scopes) == (KeyMode.TEST, frozenset(Scope))
    admin = authenticate(username=demo["admin_user"], password=demo["admin_password"])
    assert admin is not None
    assert (admin.is_staff, admin.is_superuser) == (True, True)
    kinds = {kind.key: kind for kind in event_type_page(caller.tenant.id, 100, None)}
    assert set(kinds) == {"ride.booked", "order.shipped", "login.code", "post.liked", "spring.sale"}
    assert kinds["order.shipped"].template_key == "order_shipped_v3"
    assert kinds["login.code"].sensitive_keys == ("code",)
    assert kinds["post.liked"].grouping is not None
    assert kinds["post.liked"].digest_template_key == "post_liked_digest"


def test_there_is_a_person_for_each_thing_the_sandbox_does(tmp_path: Path) -> None:
    seed(tmp_path / "demo.json")
    people = {person.user_id: person for person in Recipient.objects.all()}
    assert set(people) == {"u_rider", "u_contact", "u_19384721"} | {
        f"u_{each.word}" for each in BEHAVIOURS if each.word != "delivered"
    }
    assert {"u_bounce", "u_softbounce", "u_slow", "u_flaky", "u_throttled"} <= set(people)
    assert {"u_down", "u_ambiguous", "u_optout", "u_complaint"} <= set(people)
    rider = people["u_rider"]
    assert (rider.locale, rider.timezone, rider.attributes["first_name"]) == ("de-DE", "Europe/Berlin", "Rosa")
    assert channels(rider) == ["email", "push", "sms"]
    assert channels(people["u_contact"]) == ["sms"]


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "demo.json"
    first = seed(out)
    before, kept = counts(), list(models.Template.objects.order_by("key").values("key", "current_id"))
    assert seed(out) == first
    assert counts() == before
    assert list(models.Template.objects.order_by("key").values("key", "current_id")) == kept


def test_a_lost_file_gets_a_new_secret_for_the_same_key(tmp_path: Path) -> None:
    out = tmp_path / "demo.json"
    first = seed(out)
    before = counts()
    out.unlink()
    second = seed(out)
    assert second["test_key"] != first["test_key"]
    assert caller_by_token(first["test_key"]) is None
    assert caller_by_token(second["test_key"]) is not None
    assert authenticate(username="admin", password=first["admin_password"]) is None
    assert authenticate(username="admin", password=second["admin_password"]) is not None
    assert counts() == before


@pytest.mark.parametrize(
    "junk", ["", "[]", "{", '{"test_key": 5, "admin_password": null}', '{"test_key": "ntf_test_x"}']
)
def test_a_file_that_is_no_demo_file_is_replaced(tmp_path: Path, junk: str) -> None:
    out = tmp_path / "demo.json"
    out.write_text(junk)
    assert caller_by_token(seed(out)["test_key"]) is not None


@override_settings(ADMIN_PASSWORD="chosen by the operator")
def test_the_admin_password_may_be_chosen(tmp_path: Path) -> None:
    assert seed(tmp_path / "demo.json")["admin_password"] == "chosen by the operator"
    assert authenticate(username="admin", password="chosen by the operator") is not None


def test_it_prints_without_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("seed_demo")
    assert caller_by_token(json.loads(capsys.readouterr().out)["test_key"]) is not None


@pytest.mark.parametrize("locale", ["en", "de-DE", "fr"])
@pytest.mark.parametrize("demo", demo_content.ALL, ids=lambda demo: demo.event_type)
def test_every_message_can_be_rendered(tmp_path: Path, demo: demo_content.Demo, locale: str) -> None:
    seed(tmp_path / "demo.json")
    tenant = tenant_by_slug("demo")
    assert tenant is not None
    person = Person(tenant.id, tenant.id, "u_x", locale, "Europe/Berlin", {}, False)
    content = published([(tenant.id, demo.template_key)])[tenant.id, demo.template_key]
    context = context_of(tenant=tenant, recipient=person, event_type=demo.event_type, data=demo.sample)
    assert content.channels == frozenset(demo.channels)
    for channel in demo.channels:
        result = render(content, channel=channel, locales=locale_chain(locale, tenant.locale), context=context)
        assert result.locale == ("de" if locale == "de-DE" else "")
        if channel is Channel.SMS:
            assert sms.count(result.content["body"]).segments == 1
        if channel is Channel.EMAIL:
            assert f'<html lang="{"de" if locale == "de-DE" else "en"}">' in result.content["html"]
            assert "Demo Rides" in result.content["html"]
            assert "<" not in result.content["text"]


def test_missing_extras_are_forgiven(tmp_path: Path) -> None:
    seed(tmp_path / "demo.json")
    tenant = tenant_by_slug("demo")
    assert tenant is not None
    person = Person(tenant.id, tenant.id, "u_x", "en", "UTC", {}, False)
    data = {"order_id": "ord_1"}
    context = context_of(tenant=tenant, recipient=person, event_type="order.shipped", data=data)
    content = published([(tenant.id, "order_shipped_v3")])[tenant.id, "order_shipped_v3"]
    push = render(content, channel=Channel.PUSH, locales=("en", ""), context=context)
    assert push.content == {"title": "Your order is on its way", "body": "The carrier has order ord_1."}
    mail = render(content, channel=Channel.EMAIL, locales=("en", ""), context=context)
    assert "Follow your order" not in mail.content["html"]


@pytest.mark.parametrize(
    ("locale", "likes"),
    [("en", "Ann and 14 others liked your post"), ("de-DE", "Ann und 14 weiteren gefällt dein Beitrag")],
)
def test_every_summary_can_be_rendered(tmp_path: Path, locale: str, likes: str) -> None:
    seed(tmp_path / "demo.json")
    tenant = tenant_by_slug("demo")
    assert tenant is not None
    keys = [(tenant.id, digest.template_key) for digest in demo_digests.ALL]
    context = sample_context(tenant, {}, locale)
    for key, content in published(keys).items():
        for channel in content.channels:
            result = render(content, channel=channel, locales=locale_chain(locale, tenant.locale), context=context)
            if key[1] == "post_liked_digest":
                assert result.content["title"] == likes
            else:
                assert "Bob liked your post" in result.content.get("html", result.content.get("body", ""))
