"""What the doctor finds of accounts and addresses: credentials, sender domains, webhooks, the front door, silence."""

from datetime import timedelta
from typing import Any, ClassVar

import pytest

from apps.channels import domain_rules, registry
from apps.channels import services as channels
from apps.channels.base import Provider
from apps.core import clock
from apps.core.enums import Channel, OutcomeKind
from apps.core.types import Outcome
from apps.insights.checkups import carriers
from apps.insights.models import ReceiptNorm
from apps.tenants.models import Tenant
from apps.tenants.selectors import forget_cached as forget_tenants
from tests.integration.doctor_cast import Front, findings, only
from tests.integration.doctor_cast import world as world

pytestmark = pytest.mark.django_db


class Asked(Provider):
    name = "smtp"
    channels = frozenset({Channel.EMAIL})
    says: ClassVar[Any] = None

    def check_credentials(self, account: Any, deadline: Any) -> Outcome | None:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("says", "level", "said"),
    [
        (Outcome(OutcomeKind.MISCONFIGURED, "401"), "fail", "smtp refuses us (401). | Give it new credentials"),
        (
            Outcome(OutcomeKind.MISCONFIGURED, "sandbox", "Ask for production."),
            "fail",
            "(sandbox). | Ask for production.",
        ),
        (Outcome(OutcomeKind.PROVIDER_DOWN, "dns"), "warn", "could not be asked (dns). | Try again later."),
        (KeyError("token"), "fail", "The check failed: KeyError: 'token' | Look at its settings"),
    ],
)
def test_what_a_provider_says_of_us(
    world: Any, monkeypatch: pytest.MonkeyPatch, says: Any, level: str, said: str
) -> None:
    monkeypatch.setitem(registry._made, "smtp", Asked())  # type: ignore[arg-type]
    monkeypatch.setattr(Asked, "says", says)
    about, whole = only(level)
    assert about == "account acme-mail"
    assert said in whole


def test_a_provider_that_knows_us(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._made, "smtp", Asked())  # type: ignore[arg-type]
    monkeypatch.setattr(Asked, "says", Outcome(OutcomeKind.ACCEPTED, detail="14 messages a second"))
    assert findings("ok")["account acme-mail"] == "smtp knows us. 14 messages a second"


def test_an_account_that_is_off(world: Any) -> None:
    account = channels.create_account(key="acme-off", provider="smtp", channel=Channel.EMAIL)
    channels.switch_off(account.id, "Trouble.")
    assert only("warn")[0] == "account acme-off"


def test_sender_domains_that_receivers_doubt(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the account's sender, or else of every tenant's."""
    asked: list[tuple[str, str]] = []

    def check(account: Any) -> list[domain_rules.Finding]:
        asked.append((account.key, account.sender))
        grade = domain_rules.Grade.BROKEN if account.sender == "Acme <hi@acme.test>" else domain_rules.Grade.GOOD
        return [domain_rules.Finding("spf", grade, account.sender.rpartition("@")[2].strip(">"), "Said.", "Mend it.")]

    monkeypatch.setattr(carriers, "check_account", check)
    channels.create_account(key="own", provider="smtp", channel=Channel.EMAIL, sender="sale@acme-sale.test")
    for slug, sender in (("acme", "Acme <hi@acme.test>"), ("other", "")):
        Tenant.objects.create(slug=slug, name=slug, email_from=sender)
    forget_tenants()
    assert only("fail") == ("sender acme.test", "spf for acme-mail: Said. | Mend it.")
    found = findings()
    assert sorted(set(asked)) == [("acme-mail", "Acme <hi@acme.test>"), ("own", "sale@acme-sale.test")]
    assert (found["sender acme.test"], found["sender acme-sale.test"]) == (
        "spf for acme-mail: Said.",
        "spf for own: Said.",
    )
    assert "sender acme.test" in findings("fail") and "sender acme-sale.test" in findings("ok")


@pytest.mark.parametrize(("days", "level"), [(5, "warn"), (-1, "fail")])
def test_credentials_that_end(world: Any, days: int, level: str) -> None:
    last_day = (clock.now() + timedelta(days=days)).date().isoformat()
    channels.create_account(key="soon", provider="smtp", channel=Channel.EMAIL, settings={"expires_on": last_day})
    assert only(level)[0] == "credentials soon"


def test_a_public_address_that_nobody_can_call(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    channels.create_account(key="acme-sms", provider="sandbox", channel=Channel.SMS)
    found = findings("fail")
    assert found["webhooks"].startswith("NOTIFIER_PUBLIC_URL is http://")
    world.PUBLIC_URL = "https://notify.acme-notifications.com"
    assert carriers._address(True).level == "ok"
    for url in ("https://localhost", "https://10.0.0.7", "https://web", "http://notify.acme-notifications.com"):
        world.PUBLIC_URL = url
        assert (carriers._address(True).level, carriers._address(False).level) == ("fail", "warn")


def test_a_front_door_that_does_not_answer(world: Any) -> None:
    Front.status = 503
    about, said = only("fail")
    assert about == "public url" and "/healthz answers 503." in said
    world.PUBLIC_URL = "http://127.0.0.1:1"
    assert "cannot be reached from here" in findings("fail")["public url"]


def norm(**fields: Any) -> None:
    plain = {"account": "acme-sms", "sample": 100, "delay": 5, "patience": 70, "missing": 0.0, "learnt_at": clock.now()}
    ReceiptNorm.objects.create(**plain | fields)


def test_an_account_that_never_reports(world: Any) -> None:
    channels.create_account(key="acme-sms", provider="sandbox", channel=Channel.SMS)
    norm(missing=1.0)
    about, said = only("warn")
    assert about == "receipts acme-sms"
    assert f"Enter {world.PUBLIC_URL}/v1/receipts/acme-sms as webhook at sandbox" in said


def test_a_silent_account(world: Any) -> None:
    norm(silent_since=clock.now())
    assert only("fail")[0] == "silence"
