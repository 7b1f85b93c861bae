"""Templates as a marketer writes them: what is typed is kept, what is wrong is shown at its place, what is published is sent."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.enums import Channel
from apps.core.types import Tenant
from apps.templates.models import Template, TemplateStep, TemplateVariant, TemplateVersion
from apps.tenants.selectors import forget_cached
from tests.integration import admin_cast as people
from tests.integration import templates_cast as cast
from tests.integration.admin_fixtures import mira as mira
from tests.integration.ingest_cast import statements

pytestmark = pytest.mark.django_db

LIST = reverse("admin:message_templates_template_changelist")


@pytest.fixture
def acme() -> Tenant:
    forget_cached()
    return cast.tenant()


def page(key: str = "order") -> str:
    return reverse("admin:message_templates_template_change", args=[Template.objects.get(key=key).id])


def typed(*variants: dict[str, str], **fields: str) -> dict[str, str]:
    """What the editor's page sends; each variant names its channel."""
    data = {"name": "Order", "layout": "", "sample": '{"id": "A-1"}', "variants": str(len(variants)), **fields}
    for place, variant in enumerate(variants):
        data |= {f"v{place}-{name}": text for name, text in variant.items()}
    return data


def sms(body: str, locale: str = "", **more: str) -> dict[str, str]:
    return {"channel": "sms", "locale": locale, "body": body, **more}


def drafted() -> list[tuple[str, str, dict[str, str]]]:
    rows = TemplateVariant.objects.filter(version__published_at=None).order_by("id")
    return list(rows.values_list("channel", "locale", "source"))


def test_a_template_is_made_and_its_editor_opens(acme: Tenant, mira: Client) -> None:
    fields = {"tenant": str(acme.id), "key": "order", "name": "Order"}
    answer = mira.post(reverse("admin:message_templates_template_add"), fields)
    assert (answer.status_code, answer["Location"]) == (302, page())
    assert "No content yet" in mira.get(page()).content.decode()


@pytest.mark.parametrize("fields", [{"key": "Order Shipped"}, {"key": ""}, {"name": ""}])
def test_it_refuses_a_template_without_a_proper_key(acme: Tenant, mira: Client, fields: dict[str, str]) -> None:
    data = {"tenant": str(acme.id), "key": "order", "name": "Order", **fields}
    answer = mira.post(reverse("admin:message_templates_template_add"), data)
    assert answer.status_code == 200
    assert answer.context_data["errors"]
    assert not Template.objects.exists()


def test_it_refuses_a_key_that_is_taken(acme: Tenant, mira: Client) -> None:
    cast.publish(acme, "order", cast.sms("Hello"))
    data = {"tenant": str(acme.id), "key": "order", "name": "Other"}
    assert mira.post(reverse("admin:message_templates_template_add"), data).status_code == 200
    assert Template.objects.get().name == "Order"
    assert drafted() == []


class TestEditor:
    @pytest.fixture(autouse=True)
    def order(self, acme: Tenant) -> None:
        cast.publish(acme, "order", cast.sms("Order {{ data.id }}"), cast.sms("Hallo", "de"), sample={"id": "A-1"})

    def test_it_shows_the_draft_or_else_what_is_sent(self, acme: Tenant, mira: Client) -> None:
        assert "Order {{ data.id }}" in mira.get(page()).content.decode()
        cast.draft(acme, "order", cast.sms("Draft {{ data.id }}"))
        text = mira.get(page()).content.decode()
        assert "Draft {{ data.id }}" in text
        assert "Order {{ data.id }}" not in text

    def test_saving_keeps_a_draft_and_sends_nothing_new(self, acme: Tenant, mira: Client) -> None:
        answer = mira.post(page(), typed(sms("New {{ data.id }}\r\nline"), sms("Neu", "de-ch"), save="", name="Orders"))
        assert (answer.status_code, answer["Location"]) == (302, page())
        assert drafted() == [("sms", "", {"body": "New {{ data.id }}\nline"}), ("sms", "de-CH", {"body": "Neu"})]
        assert Template.objects.get().name == "Orders"
        assert cast.said(acme, "order", data={"id": "A-1"}) == {"body": "Order A-1"}

    def test_publishing_sends_it_from_now_on(self, acme: Tenant, mira: Client) -> None:
        answer = mira.post(page(), typed(sms("New {{ data.id }}"), publish=""), follow=True)
        assert "Version 2 is published" in answer.content.decode()
        assert cast.said(acme, "order", data={"id": "A-1"}) == {"body": "New A-1"}
        assert TemplateVersion.objects.get(number=2).published_by == "operator mira"
        assert drafted() == []

    def test_every_mistake_is_shown_at_its_place_and_the_draft_is_kept(self, acme: Tenant, mira: Client) -> None:
        push = {"channel": "push", "locale": "", "title": "{% if data.id %}open", "body": "x"}
        answer = mira.post(page(), typed(sms("One\r\nTwo {{ data.id | upcse }} three"), push, publish=""))
        assert answer.status_code == 200
        found = [
            (one.where, one.line, one.column, one.before, one.at, one.after, one.anchor)
            for one in answer.context_data["mistakes"]
        ]
        assert found == [
            ("sms, default, body", 2, 18, "Two {{ data.id | ", "u", "pcse }} three", "id_v0-body"),
            ("push, default, title", 1, 1, "", "{", "% if data.id %}open", "id_v1-title"),
        ]
        text = answer.content.decode()
        assert "sms, default, body</a>, line 2, column 18: There is no filter `upcse`." in text
        assert 'id="id_v0-body"' in text
        assert drafted()[0][2] == {"body": "One\nTwo {{ data.id | upcse }} three"}
        assert cast.said(acme, "order", data={"id": "A-1"}) == {"body": "Order A-1"}

    def test_missing_data_is_a_mistake_too(self, mira: Client) -> None:
        (mistake,) = mira.post(page(), typed(sms("{{ data.totl }}"), publish="")).context_data["mistakes"]
        assert "totl" in mistake.said
        assert mistake.where == "sms, default, body"

    @pytest.mark.parametrize("locale", ["klingon", "d"])
    def test_what_cannot_be_saved_is_kept_on_the_page(self, mira: Client, locale: str) -> None:
        answer = mira.post(page(), typed(sms("typed for an hour", locale), save=""))
        (mistake,) = answer.context_data["mistakes"]
        assert mistake.anchor == "id_v0-locale"
        assert "typed for an hour" in answer.content.decode()
        assert drafted() == []

    @pytest.mark.parametrize("sample", ['{"id": }', "[1]", '"x"'])
    def test_it_refuses_a_sample_that_is_no_object(self, mira: Client, sample: str) -> None:
        answer = mira.post(page(), typed(sms("typed"), sample=sample, publish=""))
        assert "sample" in answer.context_data["form"].errors
        assert "typed" in answer.content.decode()
        assert (drafted(), TemplateVersion.objects.count()) == ([], 1)

    def test_a_broken_sample_names_line_and_column(self, mira: Client) -> None:
        answer = mira.post(page(), typed(sms("x"), sample='{\n "id": }', save=""))
        assert answer.context_data["form"].errors["sample"] == ["Line 2, column 8: Expecting value."]

    def test_adding_a_variant_saves_nothing_and_keeps_what_was_typed(self, mira: Client) -> None:
        new = {"add": "", "add-channel": "in_app", "add-locale": "fr"}
        answer = mira.post(page(), typed(sms("typed"), **new))
        forms = [form for form, _ in answer.context_data["variants"]]
        assert [(form.channel, form["locale"].value()) for form in forms] == [(Channel.SMS, ""), (Channel.IN_APP, "fr")]
        assert list(forms[1].fields) == ["locale", "title", "body", "action_url", "icon", "remove"]
        assert "typed" in answer.content.decode()
        assert drafted() == []

    def test_a_variant_is_removed(self, mira: Client) -> None:
        mira.post(page(), typed(sms("gone", remove="on"), sms("stays", "de"), save=""))
        assert drafted() == [("sms", "de", {"body": "stays"})]

    def test_what_is_typed_is_escaped(self, mira: Client) -> None:
        nasty = "</textarea><script>x</script>"
        mira.post(page(), typed(sms(nasty), name=nasty, save=""))
        assert "<script>x" not in mira.get(page()).content.decode()
        assert "<script>x" not in mira.get(LIST).content.decode()

    def test_going_back_asks_first_and_leaves_a_step(self, acme: Tenant, mira: Client) -> None:
        cast.publish(acme, "order", cast.sms("Second"))
        back = reverse("admin:message_templates_template_rollback", args=[Template.objects.get().id, 1])
        assert back in mira.get(page()).content.decode()
        assert mira.get(back).status_code == 200
        assert cast.said(acme, "order") == {"body": "Second"}
        assert mira.post(back)["Location"] == page()
        assert cast.said(acme, "order", data={"id": "A-1"}) == {"body": "Order A-1"}
        step = TemplateStep.objects.order_by("-id")[0]
        assert (step.action, step.by) == ("rolled_back", "operator mira")

    def test_a_version_that_is_not_there_is_not_gone_back_to(self, mira: Client) -> None:
        back = reverse("admin:message_templates_template_rollback", args=[Template.objects.get().id, 9])
        assert "There is no published version 9." in mira.post(back, follow=True).content.decode()
        assert TemplateStep.objects.count() == 1

    def test_a_version_is_shown_as_it_was_written(self, mira: Client) -> None:
        version = reverse("admin:message_templates_template_version", args=[Template.objects.get().id, 1])
        text = mira.get(version).content.decode()
        assert "Order {{ data.id }}" in text
        assert "by mira" in text
        assert mira.get(version.replace("/1/", "/2/")).status_code == 404

    def test_a_viewer_reads_and_changes_nothing(self) -> None:
        vera = people.viewer("message_templates.view_template")
        text = vera.get(page()).content.decode()
        assert "Order {{ data.id }}" in text
        assert "Save and publish" not in text
        assert vera.post(page(), typed(sms("mine"), publish="")).status_code == 403
        back = reverse("admin:message_templates_template_rollback", args=[Template.objects.get().id, 1])
        assert (vera.get(back).status_code, vera.post(back).status_code) == (403, 403)
        assert (drafted(), TemplateStep.objects.count()) == ([], 1)

    def test_templates_are_not_deleted(self, mira: Client) -> None:
        delete = reverse("admin:message_templates_template_delete", args=[Template.objects.get().id])
        assert mira.post(delete, {"post": "yes"}).status_code == 403
        assert Template.objects.count() == 1

    @pytest.mark.parametrize("id_", ["nonsense", "00000000-0000-0000-0000-000000000001"])
    def test_an_unknown_template_is_not_found(self, mira: Client, id_: str) -> None:
        assert mira.get(reverse("admin:message_templates_template_change", args=[id_])).status_code == 404

    @pytest.mark.parametrize("more", [0, 5])
    def test_the_list_costs_as_many_statements_whatever_is_on_it(self, acme: Tenant, mira: Client, more: int) -> None:
        for n in range(more):
            cast.publish(acme, f"t{n}", cast.sms("x"))
        mira.get(LIST)
        # session, user, counts (2), rows, sidebar
        with statements(6):
            mira.get(LIST)


class TestPreview:
    def preview(self, client: Client, **asked: str) -> Any:
        return client.get(reverse("admin:message_templates_template_preview", args=[Template.objects.get().id]), asked)

    def test_a_mail_is_shown_in_a_frame_that_runs_nothing(self, acme: Tenant, mira: Client) -> None:
        cast.publish(acme, "order", cast.email("<p>Hello {{ data.id }}</p>"), sample={"id": "<A&1>"})
        text = self.preview(mira, channel="email").content.decode()
        assert '<iframe sandbox="" referrerpolicy="no-referrer"' in text
        assert "default-src &#x27;none&#x27;" in text
        assert "Hello &amp;lt;A&amp;amp;1&amp;gt;" in text

    def test_an_sms_tells_its_segments(self, acme: Tenant, mira: Client) -> None:
        cast.publish(acme, "order", cast.sms("Grüße \u2019"), cast.sms("Hello", "fr"))
        text = self.preview(mira, channel="sms").content.decode()
        assert "1 SMS segment (ucs2, because of \u2019)" in " ".join(text.split())
        assert "variant fr" in self.preview(mira, channel="sms", locale="fr-CH").content.decode()

    def test_what_cannot_be_rendered_says_why(self, acme: Tenant, mira: Client) -> None:
        cast.draft(acme, "order", cast.sms("{{ data.totl }}"))
        assert "totl" in self.preview(mira, channel="sms").content.decode()
        assert "This cannot be shown" in self.preview(mira, channel="push").content.decode()

    @pytest.mark.parametrize("asked", [{"channel": "pigeon"}, {"version": "99"}, {"version": "x"}, {"locale": "'\""}])
    def test_nonsense_in_the_address_is_no_error(self, acme: Tenant, mira: Client, asked: dict[str, str]) -> None:
        cast.publish(acme, "order", cast.sms("Hello"))
        assert self.preview(mira, **asked).status_code == 200
