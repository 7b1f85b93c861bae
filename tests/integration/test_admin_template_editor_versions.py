"""Versions side by side, publishing through the gate, and a share of the people first."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.audience.selectors import recipients
from apps.core.types import Tenant
from apps.templates import payloads, rollout
from apps.templates.models import Template, TemplateStep, TemplateVersion
from apps.templates.payloads import Payload
from tests.integration import admin_cast as people
from tests.integration import templates_cast as cast
from tests.integration.admin_fixtures import acme as acme

pytestmark = pytest.mark.django_db


@pytest.fixture
def mira(acme: Tenant) -> Client:
    cast.publish(acme, "order", cast.sms("Order {{ data.id }}\nis here"), cast.sms("Hallo", "de"), sample={"id": "A-1"})
    return people.mira()


def door(name: str, *args: Any) -> str:
    return reverse(f"admin:message_templates_template_{name}", args=[Template.objects.get(key="order").id, *args])


def typed(body: str, **fields: str) -> dict[str, str]:
    text = {"v0-channel": "sms", "v0-locale": "", "v0-body": body}
    return {"name": "Order", "layout": "", "sample": '{"id": "A-1"}', "variants": "1", **text, **fields}


def current() -> int:
    version = Template.objects.get(key="order").current
    assert version is not None
    return int(version.number)


class TestCompare:
    def test_the_draft_is_compared_with_what_is_sent(self, acme: Tenant, mira: Client) -> None:
        cast.draft(
            acme, "order", cast.sms("Order {{ data.id }}\nis <late>"), cast.sms("Bonjour", "fr"), sample={"id": "B"}
        )
        answer = mira.get(door("compare"))
        found = [(one.channel, one.locale, one.kind) for one in answer.context_data["variants"]]
        assert found == [("sms", "", "changed"), ("sms", "fr", "added"), ("sms", "de", "removed")]
        assert [one.name for one in answer.context_data["settings"]] == ["sample data"]
        text = answer.content.decode()
        assert "is <del>here</del>" in text
        assert "is <ins>&lt;late&gt;</ins>" in text
        assert "Left: version 1, which is sent. Right: the draft." in text

    def test_any_two_versions_are_compared(self, acme: Tenant, mira: Client) -> None:
        cast.publish(acme, "order", cast.sms("Two"))
        cast.publish(acme, "order", cast.sms("Three"))
        assert "<del>Three</del>" in mira.get(door("compare"), {"from": "3", "to": "2"}).content.decode()
        assert "They say the same" in mira.get(door("compare"), {"from": "2", "to": "2"}).content.decode()

    @pytest.mark.parametrize("asked", [{"from": "99"}, {"to": "99"}])
    def test_a_version_that_is_not_there_is_said_not_to_be(self, mira: Client, asked: dict[str, str]) -> None:
        assert "Nothing to compare" in mira.get(door("compare"), asked).content.decode()
        assert mira.get(door("compare"), {"from": "x", "to": "9" * 30}).status_code == 200

    def test_other_templates_versions_are_not_found(self, acme: Tenant, mira: Client) -> None:
        cast.publish(acme, "other", cast.sms("Other"))
        cast.publish(acme, "other", cast.sms("Secret"))
        assert "Secret" not in mira.get(door("compare"), {"from": "1", "to": "2"}).content.decode()

    def test_all_versions_are_listed_with_their_state(self, acme: Tenant, mira: Client) -> None:
        cast.publish(acme, "order", cast.sms("Two"))
        cast.draft(acme, "order", cast.sms("Three"))
        answer = mira.get(door("versions"))
        assert [version.number for version in answer.context_data["versions"]] == [3, 2, 1]
        text = answer.content.decode()
        assert (text.count(">draft<"), text.count(">current<"), text.count(">Roll back<")) == (1, 1, 1)


class TestGate:
    @pytest.fixture
    def real(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> list[Payload]:
        """What was really sent lately."""
        found: list[Payload] = []
        monkeypatch.setattr(payloads, "_sources", [lambda tenant, key: iter(found)])
        return found

    @pytest.fixture
    def sent(self, acme: Tenant, real: list[Payload]) -> None:
        recipient = people.person(acme)
        real.append(
            Payload(
                recipient=recipients([recipient])[recipient],
                event_type="order.shipped",
                data={"id": "A-7"},
                what="event order.shipped, 14:02",
                user="order.shipped",
            )
        )

    def test_without_anything_to_look_at_it_is_published_at_once(self, mira: Client, real: list[Payload]) -> None:
        answer = mira.post(door("change"), typed("New {{ data.id }}", publish=""), follow=True)
        assert "Version 2 is published: from now on it is what is sent." in answer.content.decode()
        assert current() == 2

    @pytest.mark.usefixtures("sent")
    def test_changes_are_looked_at_first(self, mira: Client) -> None:
        answer = mira.post(door("change"), typed("New {{ data.id }}", publish=""))
        assert answer["Location"] == door("publish")
        text = mira.get(door("publish")).content.decode()
        assert "Look at what changes, then publish" in text
        assert 'name="is_seen"' in text
        assert current() == 1
        seen = f"{mira.get(door('publish')).context_data['found'].seen}"
        refused = mira.post(door("publish"), {"share": "100", "seen": seen})
        assert (refused.status_code, current()) == (200, 1)
        done = mira.post(door("publish"), {"share": "100", "seen": seen, "is_seen": "1"})
        assert (done["Location"], current()) == (door("change"), 2)

    @pytest.mark.usefixtures("sent")
    def test_what_breaks_is_not_published(self, mira: Client) -> None:
        data = typed("{{ data.total }}", publish="", sample='{"id": "A-1", "total": 1}')
        assert mira.post(door("change"), data)["Location"] == door("publish")
        text = mira.get(door("publish")).content.decode()
        assert "This version would break messages" in text
        assert "`data.total` is missing." in text
        assert "is not sent by order.shipped" in text
        assert "Publish version" not in text
        seen = mira.get(door("publish")).context_data["found"].seen
        assert mira.post(door("publish"), {"share": "100", "seen": seen, "is_seen": "1"}).status_code == 200
        assert current() == 1

    def test_a_share_of_the_people_gets_it_first(self, acme: Tenant, mira: Client, real: list[Payload]) -> None:
        assert mira.post(door("change"), typed("New", stage=""))["Location"] == door("publish")
        mira.post(door("publish"), {"share": "5"})
        assert current() == 1
        text = mira.get(door("change")).content.decode()
        assert "Version 2 goes to 5 % of the people" in text
        assert "Publish to a share" not in text
        mira.post(door("rollout"), {"do": "raise", "share": "50"})
        found = rollout.rollout(acme, "order")
        assert found is not None
        assert found.share == 50
        mira.post(door("rollout"), {"do": "finish"})
        assert (current(), rollout.rollout(acme, "order")) == (2, None)

    def test_a_share_is_taken_back(self, acme: Tenant, mira: Client, real: list[Payload]) -> None:
        mira.post(door("change"), typed("New", stage=""))
        mira.post(door("publish"), {"share": "5"})
        refused = mira.post(door("rollout"), {"do": "raise", "share": "1"}, follow=True)
        assert "only rises" in refused.content.decode()
        text = mira.post(door("rollout"), {"do": "revert"}, follow=True).content.decode()
        assert "Everybody gets version 1 again." in text
        assert rollout.rollout(acme, "order") is None
        assert mira.get(door("rollout")).status_code == 405

    def test_what_is_wrong_with_the_draft_itself_is_named_there(self, acme: Tenant, mira: Client) -> None:
        cast.draft(acme, "order", cast.sms("ok"), cast.sms("One\n{{ data.nix }}", "de"))
        text = mira.get(door("publish")).content.decode()
        assert "sms, de, body, line 2, column 4: `data.nix` is missing." in text
        assert "Publish version" not in text

    @pytest.mark.parametrize("share", ["0", "101", "x", "nan", ""])
    def test_it_refuses_a_share_that_is_none(self, acme: Tenant, mira: Client, real: list[Payload], share: str) -> None:
        cast.draft(acme, "order", cast.sms("New"))
        assert mira.post(door("publish"), {"share": share}).status_code == 200
        assert (current(), rollout.rollout(acme, "order")) == (1, None)

    def test_there_must_be_a_draft(self, mira: Client) -> None:
        answer = mira.post(door("publish"), {"share": "100"}, follow=True)
        assert answer.redirect_chain == [(door("change"), 302)]
        assert TemplateVersion.objects.count() == 1

    def test_publishing_needs_a_permission_of_its_own(self, acme: Tenant, mira: Client) -> None:
        cast.draft(acme, "order", cast.sms("New"))
        vera = people.viewer("message_templates.view_template", "message_templates.change_template")
        assert "Save and publish" not in vera.get(door("change")).content.decode()
        assert vera.post(door("change"), typed("Mine", publish="")).status_code == 403
        assert vera.post(door("publish"), {"share": "100"}).status_code == 403
        assert vera.post(door("rollout"), {"do": "finish"}).status_code == 403
        assert (current(), TemplateStep.objects.count()) == (1, 1)
        assert vera.post(door("change"), typed("Mine", save="")).status_code == 302
