"""The marketer's side of the demo: complete, and the same after a second run."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction

from apps.audience.models import Endpoint, Recipient, Segment, SegmentMember
from apps.audience.services import upsert_recipients
from apps.campaigns.demo import people as crowd
from apps.campaigns.demo.people import user_id
from apps.campaigns.demo.places import ALL
from apps.campaigns.demo.wording import LANGUAGES
from apps.campaigns.models import Approval, Campaign, Policy, Run, Variant
from apps.channels.models import Price, ProviderAccount
from apps.channels.selectors import account_by_key
from apps.channels.selectors import forget_cached as forget_cached_accounts
from apps.core.enums import Channel
from apps.preferences.models import ConsentRecord, Mute, Preference, Suppression
from apps.templates.models import Template, TemplateVariant, TemplateVersion
from apps.templates.parsed import forget_kept
from apps.templates.services import Source, publish_changes
from apps.tenants.models import AuditEntry, Membership
from apps.tenants.selectors import forget_cached, tenant_by_slug

pytestmark = pytest.mark.django_db
FEW = 400
TABLES: tuple[Any, ...] = (
    *(
        Recipient,
        Endpoint,
        Segment,
        SegmentMember,
        Preference,
        Mute,
        ConsentRecord,
        Suppression,
        Price,
        Policy,
        ProviderAccount,
    ),
    *(TemplateVersion, TemplateVariant, Campaign, Variant, Approval, Run, Membership, AuditEntry, get_user_model()),
)


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Seeded once: each test changes it within a savepoint of its own."""
    login = tmp_path_factory.mktemp("seeded") / "demo.json"
    with django_db_blocker.unblock(), transaction.atomic():
        forget()
        call_command("seed_demo", out=login, stderr=StringIO())
        assert seed(login) == f"New in Demo Rides: {FEW} people, 5 segments, 5 campaigns"
        yield login
        transaction.set_rollback(True)
    forget()


@pytest.fixture(autouse=True)
def demo(world: Path, db: None) -> Path:
    forget()
    return world


def forget() -> None:
    forget_cached()
    forget_cached_accounts()
    forget_kept()


def seed(login: Path | None, people: int = FEW) -> str:
    said = StringIO()
    call_command("seed_campaigns", people=people, login=login, stderr=said)
    return said.getvalue().partition(" (")[0]


def state() -> list[Any]:
    rows = (
        Campaign.objects.all_tenants()
        .order_by("id")
        .values_list("id", "status", "version", "next_fire_at", "updated_at")
    )
    return [*(table._default_manager.count() for table in TABLES), *rows]


def test_there_is_a_campaign_in_every_state(demo: Path) -> None:
    rows = Campaign.objects.all_tenants().order_by("id")
    assert [(row.name, row.status, row.throttle) for row in rows] == [
        ("Autumn offer: price or story?", "scheduled", 0),
        ("The new app, west", "scheduled", 1_500),
        ("Weekend pass, at nine where you are", "scheduled", 0),
        ("Airport at a fixed price", "in_review", 0),
        ("Win back, first try", "draft", 0),
    ]
    assert [row.mode for row in rows] == ["test", "test", "test", "live", "test"]
    assert {row.created_by for row in rows} == {"operator mira"}
    assert [row.schedule.get("zone") for row in rows] == [None, None, "recipient", None, None]
    decided = Approval.objects.all_tenants().order_by("id").values_list("asked_by", "decided_by", "decision")
    launched = ("operator mira", "operator paul", "approved")
    costs = {one.campaign_id: (one.cost_low, one.cost_high) for one in Approval.objects.all_tenants()}
    low, high = costs[rows[3].id]
    assert 0 < low < high
    assert list(decided) == [launched, launched, launched, ("operator mira", "", "asked")]


def test_a_second_run_changes_nothing_and_begins_nothing(demo: Path) -> None:
    before = state()
    assert seed(demo) == "New in Demo Rides: 0 people, 0 segments, 0 campaigns"
    assert state() == before


def test_what_became_of_a_campaign_or_a_text_is_left_alone(demo: Path) -> None:
    tenant = tenant_by_slug("demo")
    assert tenant is not None
    mine = [Source(Channel.SMS, "", {"body": "Mine. STOP to opt out"})]
    publish_changes(tenant=tenant, key="airport_sms", name="Mine", variants=mine, by="mira")
    Campaign.objects.all_tenants().filter(name__startswith="The new app").update(status="finished", name="Renamed")
    assert seed(demo) == "New in Demo Rides: 0 people, 0 segments, 0 campaigns"
    assert Campaign.objects.all_tenants().filter(name="Renamed", status="finished").count() == 1
    assert Template.objects.of(tenant).get(key="airport_sms").current.number == 2


def test_who_was_interrupted_goes_on_with_the_next_page(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "PAGE", 100)
    monkeypatch.setattr(crowd, "upsert_recipients", _only_new(upsert_recipients))
    assert seed(demo, people=FEW + 150) == "New in Demo Rides: 150 people, 0 segments, 0 campaigns"
    assert Recipient.objects.all_tenants().filter(user_id__startswith="c_").count() == FEW + 150


def _only_new(inner: Any) -> Any:
    def checked(*, tenant: Any, inline: Any) -> Any:
        known = Recipient.objects.of(tenant).filter(user_id__in=[one.user_id for one in inline])
        assert not known.exists()
        return inner(tenant=tenant, inline=inline)

    return checked


def test_the_account_for_texts_follows_the_sandbox(demo: Path, settings: Any) -> None:
    settings.SANDBOX_URL = "http://127.0.0.1:4711"
    forget_cached_accounts()
    seed(demo)
    account = account_by_key("demo-sms")
    assert account is not None and (account.base_url, account.provider) == ("http://127.0.0.1:4711", "sandbox")
    assert ProviderAccount.objects.all_tenants().count() == 1


def test_people_live_on_twenty_clocks_and_speak_five_languages(demo: Path) -> None:
    people = list(Recipient.objects.all_tenants().filter(user_id__startswith="c_"))
    assert len({person.timezone for person in people}) == len(ALL) == 20
    assert {person.locale[:2] for person in people} == set(LANGUAGES)
    assert {key for person in people for key in person.attributes} == {
        *("plan", "city", "signed_up", "rides", "first_name")
    }
    assert 0 < sum("first_name" not in person.attributes for person in people) < FEW // 5
    by_channel = {
        channel: Endpoint.objects.all_tenants().filter(recipient__in=people, channel=channel, verified_at__isnull=False)
        for channel in ("email", "sms", "push")
    }
    assert by_channel["email"].count() == FEW
    assert by_channel["push"].count() == FEW // 10
    assert 0 < by_channel["sms"].count() < FEW
    assert not Endpoint.objects.all_tenants().filter(sealed__contains=b"example.com").exists()
    assert Recipient.objects.all_tenants().get(user_id=user_id(71)).preferences_version == 1
    assert ConsentRecord.objects.all_tenants().count() == Preference.objects.count() + Mute.objects.count()


def test_what_happens_to_mails_stays_below_the_brake() -> None:
    words = [crowd.word_of(chance) for chance in range(1_000)]
    share = {word: words.count(word) / 10 for word in set(words)}
    assert share["bounce"] < 5 and share["complaint"] < 0.2 and share["optout"] + share["invalid"] < 2
    assert share["reader"] > 20 and share["clicker"] > 5


def test_no_number_belongs_to_anybody() -> None:
    heads = {head for place in ALL for head in place.numbers}
    assert all(head[0] == "+" for head in heads)
    for head in heads:
        is_free = head.startswith(("+4917139200", "+49176040690", "+3363998", "+447700900"))
        assert is_free or (head.startswith("+1") and head.endswith("55501") and len(head) == 10)
    assert ALL[0].number(0) == "+491713920000" and ALL[0].number(200) == ""


def test_every_template_speaks_five_languages(demo: Path) -> None:
    rows = TemplateVariant.objects.all_tenants().filter(version__template__key="demo_offers_layout")
    assert {row.locale for row in rows} == {"", "de", "fr", "es", "ar"}
    arabic = rows.get(locale="ar").compiled
    assert '<html lang="ar" dir="rtl"' in arabic["html"]


def test_the_staff_signs_in_with_the_admins_password(demo: Path) -> None:
    password = json.loads(demo.read_text())["admin_password"]
    for name, role in (("mira", "marketer"), ("paul", "approver"), ("sue", "support")):
        user = authenticate(username=name, password=password)
        assert user is not None and (user.is_staff, user.is_superuser) == (True, False)
        assert list(Membership.objects.all_tenants().filter(user=user).values_list("role__name", flat=True)) == [role]


def test_nobody_can_sign_in_without_a_password() -> None:
    get_user_model().objects.filter(username="mira").delete()
    seed(None)
    assert not get_user_model().objects.get(username="mira").has_usable_password()


def test_it_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is not what seed_demo"):
        seed(tmp_path / "nothing.json", people=FEW + 1)
    assert Recipient.objects.all_tenants().filter(user_id__startswith="c_").count() == FEW
