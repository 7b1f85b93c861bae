"""The editor while somebody types: what it shows, what it saves by itself, and what it does not let anybody see."""

import json
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from apps.audience import picking
from apps.audience.addresses import email_address
from apps.audience.services import upsert_recipients
from apps.core.enums import Channel
from apps.core.types import InlineRecipient, Tenant
from apps.templates.models import Template, TemplateVariant, TemplateVersion
from apps.templates.proving import Source
from tests.integration import admin_cast as people
from tests.integration import templates_cast as cast
from tests.integration.ingest_cast import statements

pytestmark = pytest.mark.django_db
SAMPLE = {"id": "A-1", "$recipient": {"first_name": "Zoe"}}


@pytest.fixture
def acme() -> Tenant:
    picking.forget_counted()
    return people.acme()


@pytest.fixture
def mira(acme: Tenant) -> Client:
    mail = Source(Channel.EMAIL, "", {"subject": "Order", "html": "<p>Hello {{ recipient.first_name }}</p>"})
    cast.publish(acme, "order", mail, cast.sms("Order {{ data.id }}"), cast.sms("Hallo", "de"), sample=SAMPLE)
    return people.mira()


def door(name: str, *args: Any) -> str:
    return reverse(f"admin:message_templates_template_{name}", args=[Template.objects.get(key="order").id, *args])


def typed(*variants: dict[str, str], **fields: str) -> dict[str, str]:
    data = {"name": "Order", "layout": "", "sample": json.dumps(SAMPLE), "variants": str(len(variants)), **fields}
    for place, variant in enumerate(variants):
        data |= {f"v{place}-{name}": text for name, text in variant.items()}
    return data


def sms(body: str, locale: str = "") -> dict[str, str]:
    return {"channel": "sms", "locale": locale, "body": body}


def email(html: str, locale: str = "", **more: str) -> dict[str, str]:
    return {"channel": "email", "locale": locale, "subject": "Order {{ data.id }}", "html": html, **more}


def drafts() -> list[tuple[str, str]]:
    rows = TemplateVariant.objects.filter(version__published_at=None).order_by("id")
    return [(locale, source["body"]) for locale, source in rows.values_list("locale", "source")]


def base() -> str:
    return str(TemplateVersion.objects.order_by("-number")[0].id)


class TestLive:
    def seen(self, client: Client, *variants: dict[str, str], **fields: str) -> dict[str, Any]:
        answer = client.post(door("live"), typed(*variants, **{"at": "0", **fields}))
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    def test_what_is_typed_is_shown_and_nothing_is_stored(self, mira: Client) -> None:
        found = self.seen(mira, sms("New {{ data.id }}"), sms("Neu", "de"))
        assert "New A-1" in found["head"]
        assert "1 part," in found["head"]
        assert "Neu" in self.seen(mira, sms("New"), sms("Neu", "de"), at="1")["head"]
        assert drafts() == []

    def test_a_mail_is_framed_as_it_was_asked_for(self, mira: Client) -> None:
        html = '<p>Hello {{ recipient.first_name }} <img src="https://a.example/x.png" alt=""></p>'
        light = self.seen(mira, email(html))
        assert "Order A-1" in light["head"]
        assert "Hello Zoe" in light["mail"]
        assert "default-src 'none'" in light["mail"]
        assert "invert(1)" in self.seen(mira, email(html), look="inverted")["mail"]
        assert "img-src 'none'" in self.seen(mira, email(html), look="bare")["mail"]
        assert '<html dir="rtl">' in self.seen(mira, email(html), rtl="1")["mail"]
        assert "says nothing about dark mode" in self.seen(mira, email(html), look="dark")["head"]
        text = self.seen(mira, email(html), look="text")
        assert (text["mail"], "Hello Zoe" in text["head"]) == ("", True)

    def test_a_mistake_has_its_place_and_a_way_out(self, mira: Client) -> None:
        found = self.seen(mira, sms("One\r\nTwo {{ data.id | upcse }}"))
        (mark,) = found["marks"]
        assert mark == {
            "code": "syntax_error",
            "severity": "error",
            "text": "There is no filter `upcse`. Did you mean `upcase`?",
            "field": "body",
            "line": 2,
            "column": 18,
            "found": "upcse",
            "replacement": "upcase",
        }
        assert "This cannot be shown" in found["head"]
        assert 'data-go="v0-body" data-line="2" data-column="18"' in found["rest"]
        assert "Replace with upcase" in found["rest"]

    def test_what_the_data_says_is_escaped(self, mira: Client) -> None:
        sample = json.dumps({"id": "<script>x</script>"})
        found = self.seen(mira, sms("{{ data.id }} <b>"), sample=sample)
        assert "&lt;script&gt;x&lt;/script&gt; &lt;b&gt;" in found["head"]
        assert "<script>" not in found["head"] + found["rest"]
        assert "<script>" not in self.seen(mira, sms("{{ data.<script> }}"))["rest"]

    def test_variables_are_listed_with_who_has_them(self, acme: Tenant, mira: Client) -> None:
        upsert_recipients(tenant=acme, inline=[InlineRecipient(user_id="rosa", attributes={"city": "Bern"})])
        body = "{{ data.id }}{{ data.nix | default: 1 }}{{ recipient.city | default: 1 }}{{ recipient.first_name | default: 1 }}"
        alone = " ".join(self.seen(mira, sms(body))["rest"].split())
        assert '<code>data.nix</code></td><td>body</td> <td><span class="n-bad">lacks it' in alone
        assert '<code>recipient.city</code></td><td>body</td> <td><span class="n-bad">lacks it' in alone
        found = " ".join(self.seen(mira, sms(body), person="rosa")["rest"].split())
        assert 'lacks it</span></td> <td><span class="n-good">has it' in found
        assert 'has it</span></td> <td><span class="n-bad">lacks it' in found
        assert "from the sample" in found

    def test_people_who_get_another_language_are_counted(self, acme: Tenant, mira: Client) -> None:
        cast.tenant("beta")
        locales = {"a": "fr", "b": "fr-CH", "c": "de", "d": "en", "e": None}
        upsert_recipients(
            tenant=acme, inline=[InlineRecipient(user_id=name, locale=at) for name, at in locales.items()]
        )
        rest = self.seen(mira, sms("Hello", "en"), sms("Hallo", "de"))["rest"]
        assert "fr missing: 2 recipients will get en" in rest
        assert "de missing" not in rest

    def test_people_who_take_too_long_to_count_are_not_told(
        self, acme: Tenant, mira: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(picking, "_BY_LOCALE", "SELECT pg_sleep(1), %(tenant)s::uuid, %(most)s::int")
        monkeypatch.setattr(picking, "WITHIN_MS", 1)
        upsert_recipients(tenant=acme, inline=[InlineRecipient(user_id="rosa", locale="fr")])
        assert "missing" not in self.seen(mira, sms("Hello", "en"))["rest"]

    def test_the_worst_sixty_remarks_are_shown(self, mira: Client) -> None:
        found = self.seen(mira, email('<a href="/x">Order</a>\n' * 70))
        assert "and 12 more" in found["rest"]
        assert len(found["marks"]) == 60

    def test_marketing_is_known_from_the_event_types_and_can_be_chosen(self, acme: Tenant, mira: Client) -> None:
        assert "unsubscribe" not in self.seen(mira, email("<p>Sale"))["rest"]
        assert "link to unsubscribe" in self.seen(mira, email("<p>Sale"), category="marketing")["rest"]

    def test_a_sample_that_cannot_be_read_is_said(self, mira: Client) -> None:
        for sample in ('{"id": ', "[1]", '{"$recipient": 1}'):
            assert "sample data" in self.seen(mira, sms("Hello"), sample=sample)["rest"]

    @pytest.mark.parametrize(
        "fields", [{"at": "7"}, {"at": "x"}, {"look": "nonsense"}, {"layout": "nix"}, {"category": "x"}]
    )
    def test_nonsense_is_no_error(self, mira: Client, fields: dict[str, str]) -> None:
        assert set(self.seen(mira, sms("Hello"), **fields)) == {"head", "rest", "mail", "marks", "names"}

    def test_it_asks_a_fixed_number_of_times(self, acme: Tenant, mira: Client) -> None:
        upsert_recipients(tenant=acme, inline=[InlineRecipient(user_id="rosa")])
        url, data = door("live"), typed(sms("Hello"), sms("Hallo", "de"), at="0")
        mira.post(url, data)
        # session, user, template, its event types
        with statements(4):
            mira.post(url, data)


class TestPeople:
    @pytest.fixture(autouse=True)
    def rosa(self, acme: Tenant, mira: Client) -> None:
        other = people.acme("beta")
        for tenant, names in ((acme, ("rosa", "rosalie", "otto")), (other, ("rosamund",))):
            for name in names:
                one = InlineRecipient(user_id=name, attributes={"first_name": name.title()}, locale="de")
                upsert_recipients(tenant=tenant, inline=[one])
                people.person(tenant, name)

    def found(self, client: Client, text: str) -> list[tuple[str, str]]:
        return [(one["user_id"], one["said"]) for one in client.get(door("people"), {"q": text}).json()["people"]]

    def test_they_are_found_by_the_beginning_of_their_id_or_by_their_address(self, mira: Client) -> None:
        assert [name for name, _ in self.found(mira, "ros")] == ["rosa", "rosalie"]
        assert [name for name, _ in self.found(mira, "otto@acme.example")] == ["otto"]
        assert [name for name, _ in self.found(mira, "")] == ["otto", "rosalie", "rosa"]
        assert self.found(mira, "nobody") == self.found(mira, "\x00") == []

    def test_addresses_are_masked(self, mira: Client) -> None:
        ((_, said),) = self.found(mira, "otto")
        assert said.startswith("de, o")
        assert "otto@acme.example" not in mira.get(door("people"), {"q": "o"}).content.decode()
        assert email_address("otto@acme.example", "").masked in said

    def test_a_message_is_shown_with_their_data(self, mira: Client) -> None:
        answer = mira.post(door("live"), typed(sms("Dear {{ recipient.first_name }}"), at="0", person="rosa")).json()
        assert "Dear Rosa" in answer["head"]
        assert "who reads de" in answer["rest"]

    def test_other_tenants_people_are_nobody(self, mira: Client) -> None:
        answer = mira.post(
            door("live"), typed(sms("Dear {{ recipient.first_name }}"), at="0", person="rosamund")
        ).json()
        assert "Dear Zoe" in answer["head"]
        assert "Nobody has this user_id" in answer["rest"]

    def test_whoever_may_not_see_people_sees_nobody(self) -> None:
        vera = people.viewer("message_templates.view_template")
        assert vera.get(door("people"), {"q": "ros"}).status_code == 403
        answer = vera.post(door("live"), typed(sms("Dear {{ recipient.first_name }}"), at="0", person="rosa")).json()
        assert "Dear Zoe" in answer["head"]
        assert 'name="person"' not in vera.get(door("change")).content.decode()


class TestAutosave:
    def saved(self, client: Client, *variants: dict[str, str], **fields: str) -> Any:
        return client.post(door("autosave"), typed(*variants, **fields))

    def test_it_saves_over_what_was_shown_and_says_what_to_save_over_next(self, mira: Client) -> None:
        first = self.saved(mira, sms("one"), base=base())
        assert (first.status_code, first.json()["number"]) == (200, 2)
        second = self.saved(mira, sms("two"), base=first.json()["base"])
        assert (second.status_code, drafts()) == (200, [("", "two")])
        assert second.json()["base"] == base()

    def test_it_refuses_to_save_over_somebody_elses_newer_draft(self, acme: Tenant, mira: Client) -> None:
        before = base()
        cast.draft(acme, "order", cast.sms("hers"))
        answer = self.saved(mira, sms("mine"), base=before)
        assert answer.status_code == 409
        assert "Another draft was saved at" in answer.json()["said"]
        assert drafts() == [("", "hers")]
        assert self.saved(mira, sms("mine"), base=base()).status_code == 200
        assert drafts() == [("", "mine")]

    def test_it_refuses_to_save_over_what_was_published_meanwhile(self, acme: Tenant, mira: Client) -> None:
        draft = self.saved(mira, sms("one"), base=base()).json()["base"]
        cast.publish(acme, "order", cast.sms("hers"))
        answer = self.saved(mira, sms("mine"), base=draft)
        assert answer.status_code == 409
        assert "Version 2 was published by mira at" in answer.json()["said"]
        assert drafts() == []

    def test_the_button_refuses_too_and_keeps_what_was_typed(self, acme: Tenant, mira: Client) -> None:
        before = base()
        cast.draft(acme, "order", cast.sms("hers"))
        answer = mira.post(door("change"), typed(sms("mine"), base=before, save=""))
        assert "Another draft was saved at" in answer.content.decode()
        assert "mine" in answer.content.decode()
        assert drafts() == [("", "hers")]
        assert mira.post(door("change"), typed(sms("mine"), base=before, save="", over="1")).status_code == 302
        assert drafts() == [("", "mine")]

    @pytest.mark.parametrize("fields", [{"sample": "{"}, {"name": ""}, {"base": "x"}, {"layout": "nix"}])
    def test_what_cannot_be_saved_is_said_and_nothing_is_written(self, mira: Client, fields: dict[str, str]) -> None:
        answer = self.saved(mira, sms("mine"), **{"base": base(), **fields})
        assert (answer.status_code, bool(answer.json()["said"])) == (422, True)
        assert drafts() == []

    def test_whoever_may_only_look_saves_nothing(self, mira: Client) -> None:
        vera = people.viewer("message_templates.view_template", "audience.view_recipient")
        assert self.saved(vera, sms("mine"), base=base()).status_code == 403
        assert (vera.get(door("autosave")).status_code, vera.get(door("live")).status_code) == (405, 405)
        assert drafts() == []

    def test_a_draft_is_discarded_after_a_question(self, mira: Client) -> None:
        self.saved(mira, sms("mine"), base=base())
        assert "is lost" in mira.get(door("discard")).content.decode()
        assert drafts() == [("", "mine")]
        assert mira.post(door("discard"), follow=True).status_code == 200
        assert (drafts(), TemplateVersion.objects.count()) == ([], 1)
        vera = people.viewer("message_templates.view_template")
        assert vera.post(door("discard")).status_code == 403


@pytest.mark.parametrize("name", ["live", "autosave", "people", "discard", "versions", "compare", "publish", "rollout"])
def test_no_door_is_open_without_permission(mira: Client, name: str) -> None:
    nobody = people.viewer()
    assert nobody.post(door(name)).status_code in (403, 404)
    assert Client().post(door(name)).status_code == 302
    url = door(name).replace(str(Template.objects.get().id), str(UUID(int=1)))
    assert mira.post(url).status_code == 404


def test_a_variant_may_begin_with_the_words_of_another(mira: Client) -> None:
    data = typed(
        sms("Hello"), sms("Hallo", "de"), add="", **{"add-channel": "sms", "add-locale": "fr", "add-from": "v1"}
    )
    context = mira.post(door("change"), data).context_data
    forms = [form for form, _ in context["variants"]]
    assert [(form["locale"].value(), form["body"].value()) for form in forms][2] == ("fr", "Hallo")
    assert context["active"] == 2
    assert drafts() == []
