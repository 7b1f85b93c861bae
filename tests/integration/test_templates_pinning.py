"""A published version keeps its layout and its partials; a pinned one is sent whatever is current."""

import pytest
from pytest_django.fixtures import DjangoAssertNumQueries

from apps.core import ids
from apps.core.enums import Channel
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.templates import models, selectors, services
from apps.templates.content import FIELDS
from apps.templates.parsed import forget_kept
from apps.templates.proving import Source, sample_context
from apps.templates.rendering import locale_chain, render, versions
from apps.templates.republishing import Republished, republish
from tests.integration.templates_cast import draft, email, outer, publish, said, sms, tenant

pytestmark = pytest.mark.django_db
LAYOUT = "<html><body>{{ content }}<p>%s</p></body></html>"


@pytest.fixture
def acme() -> Tenant:
    return tenant()


def version_id(acme: Tenant, key: str, number: int) -> object:
    return models.TemplateVersion.objects.of(acme).get(template__key=key, number=number).id


def piece(html: str, text: str = "") -> Source:
    return Source(Channel.EMAIL, "", {"html": html, **({"text": text} if text else {})})


def test_a_layout_that_is_published_changes_no_mail_until_that_is_published_again(acme: Tenant) -> None:
    publish(acme, "base", outer(LAYOUT % "Old"), is_layout=True)
    for key in ("order", "invoice"):
        publish(acme, key, email(f"<h1>{key}</h1>"), layout="base")
    publish(acme, "base", outer(LAYOUT % "New"), is_layout=True)
    forget_kept()
    assert "<h1>order</h1><p>Old</p>" in said(acme, "order", Channel.EMAIL)["html"]
    publish(acme, "order", email("<h1>order</h1>"), layout="base")
    assert "<h1>order</h1><p>New</p>" in said(acme, "order", Channel.EMAIL)["html"]
    assert "<h1>invoice</h1><p>Old</p>" in said(acme, "invoice", Channel.EMAIL)["html"]
    services.rollback(tenant=acme, key="order", to_number=1, by="mira")
    assert "<h1>order</h1><p>Old</p>" in said(acme, "order", Channel.EMAIL)["html"]


def test_it_tells_who_has_an_older_layout_or_partial(acme: Tenant) -> None:
    publish(acme, "base", outer(LAYOUT % "Old"), is_layout=True)
    publish(acme, "foot", piece("<p>Foot</p>"), is_partial=True)
    publish(acme, "order", email("<p>x</p>{% render 'foot' %}"), layout="base")
    publish(acme, "plain", sms("x"))
    assert selectors.outdated(acme) == []
    publish(acme, "base", outer(LAYOUT % "New"), is_layout=True)
    publish(acme, "foot", piece("<p>Feet</p>"), is_partial=True)
    assert selectors.outdated(acme) == [
        selectors.Outdated("order", 1, "base", 1, 2),
        selectors.Outdated("order", 1, "foot", 1, 2),
    ]
    publish(acme, "order", email("<p>x</p>{% render 'foot' %}"), layout="base")
    assert selectors.outdated(acme) == []
    assert selectors.outdated(tenant("globex")) == []


def test_what_a_layout_breaks_is_found_when_its_mail_is_published_again(acme: Tenant) -> None:
    publish(acme, "base", outer(LAYOUT % "Old"), is_layout=True)
    publish(acme, "order", email("<p>Order</p>"), layout="base")
    publish(acme, "base", outer(LAYOUT % "{{ data.promo }}"), is_layout=True, sample={"promo": "x"})
    assert "<p>Old</p>" in said(acme, "order", Channel.EMAIL)["html"]
    with pytest.raises(Problem) as caught:
        publish(acme, "order", email("<p>Order 2</p>"), layout="base")
    assert (caught.value.code, caught.value.errors[0].detail) == (Code.TEMPLATE_INVALID, "`data.promo` is missing.")
    assert "<p>Old</p>" in said(acme, "order", Channel.EMAIL)["html"]


def test_a_partial_is_put_in_where_it_is_rendered_and_pinned(acme: Tenant) -> None:
    foot = piece("<p style='color:red'>{{ word }} {{ recipient.first_name }}</p>", "{{ word }}!")
    publish(acme, "foot", foot, is_partial=True, sample={"$given": {"word": "Bye"}, "$recipient": {"first_name": "R"}})
    publish(acme, "sig", sms("- {{ tenant.name }}"), is_partial=True)
    sample = {"$recipient": {"first_name": "<Rosa>"}, "word": "Ciao"}
    order = email("<h1>Hi</h1>{% render 'foot', word: data.word %}")
    publish(acme, "order", order, sms("Hi {% render 'sig' %}"), sample=sample)
    mail = said(acme, "order", Channel.EMAIL, sample)
    assert '<p style="color: red;">Ciao &lt;Rosa&gt;</p>' in mail["html"].replace("color:red", "color: red;")
    assert mail["text"].rstrip().endswith("Ciao!")
    assert said(acme, "order") == {"body": "Hi - Acme"}
    publish(acme, "sig", sms("changed"), is_partial=True)
    forget_kept()
    assert said(acme, "order") == {"body": "Hi - Acme"}


def test_a_partial_sees_no_name_of_the_template_around_it_and_changes_none(acme: Tenant) -> None:
    publish(acme, "peek", sms("{% assign x = 'in' %}{{ x }}{{ y | default: '-' }}"), is_partial=True)
    publish(acme, "order", sms("{% assign x = 'out' %}{% assign y = 1 %}{% render 'peek' %}{{ x }}"))
    assert said(acme, "order") == {"body": "in-out"}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("a\n {% render 'nothing' %}", "There is no published partial `nothing` here."),
        ("a\n {% render 'mailonly' %}", "There is no published partial `mailonly` here."),
        ("a\n {% render 'base' %}", "There is no published partial `base` here."),
        ("a\n {% render 'draft' %}", "There is no published partial `draft` here."),
        ("a\n {% render 'foreign' %}", "There is no published partial `foreign` here."),
        ("a\n {% render 'order' %}", "There is no published partial `order` here."),
        ("a\n {% render 'needs' %}", "In `needs`: `colour` is missing."),
        ("a\n {% render 'needs' with data %}", "Give a partial its values by name: `{% render 'row', item: x %}`."),
    ],
)
def test_it_refuses_partials_that_are_not_there(acme: Tenant, body: str, detail: str) -> None:
    publish(acme, "mailonly", piece("<p>x</p>"), is_partial=True)
    publish(acme, "base", outer(LAYOUT % "x"), is_layout=True)
    draft(acme, "draft", sms("x"), is_partial=True)
    publish(acme, "needs", sms("{{ colour }}"), is_partial=True, sample={"$given": {"colour": "red"}})
    publish(tenant("globex"), "foreign", sms("x"), is_partial=True)
    with pytest.raises(Problem) as caught:
        publish(acme, "order", sms(body))
    assert [(error.detail, error.line, error.column) for error in caught.value.errors] == [(detail, 2, 5)]


def test_a_partial_has_no_partials_and_stays_a_partial(acme: Tenant) -> None:
    publish(acme, "foot", sms("x"), is_partial=True)
    with pytest.raises(Problem) as caught:
        publish(acme, "top", sms("{% render 'foot' %}"), is_partial=True)
    assert caught.value.errors[0].detail == "There is no published partial `foot` here."
    with pytest.raises(Problem) as caught:
        draft(acme, "foot", sms("x"))
    assert (caught.value.code, caught.value.errors[0].pointer) == (Code.CONFLICT, "/is_partial")
    assert not selectors.has_published(acme.id, "foot")


def test_a_pinned_version_is_what_it_was(acme: Tenant, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    publish(acme, "base", outer(LAYOUT % "Old"), is_layout=True)
    publish(acme, "order", sms("One"), email("<p>1</p>"), layout="base")
    publish(acme, "base", outer(LAYOUT % "New"), is_layout=True)
    publish(acme, "order", sms("Two"), email("<p>2</p>"), layout="base")
    draft(acme, "order", sms("Three"))
    one, two, three = (version_id(acme, "order", number) for number in (1, 2, 3))
    forget_kept()
    with django_assert_num_queries(1):
        found = versions([one, two, three, ids.new(), one])
    with django_assert_num_queries(0):
        again = versions([one, two])
    assert list(found) == [one, two]
    assert again[one].version is found[one].version and again[one].layout is found[one].layout
    assert [content.version.number for content in found.values()] == [1, 2]
    context = sample_context(acme, {}, "en")
    shown = render(found[one], channel=Channel.EMAIL, locales=locale_chain("en", "en"), context=context)
    assert "<p>1</p><p>Old</p>" in shown.content["html"]
    assert set(FIELDS[Channel.SMS]) == {"body"}


def test_a_layout_that_was_dropped_from_what_is_kept_is_read_again(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.templates.parsed.MOST_KEPT", 1)
    publish(acme, "base", outer(LAYOUT % "Old"), is_layout=True)
    publish(acme, "order", email("<p>1</p>"), layout="base")
    for _ in range(2):
        assert "<p>1</p><p>Old</p>" in said(acme, "order", Channel.EMAIL)["html"]


def test_a_new_footer_reaches_all_mails_at_once_but_those_it_would_break(acme: Tenant) -> None:
    publish(acme, "base", outer(LAYOUT % "Old"), is_layout=True)
    for key in ("drafted", "invoice", "order", "staged"):
        publish(acme, key, email(f"<h1>{key}</h1>"), layout="base", sample={"promo": "x"} if key != "order" else {})
    publish(acme, "plain", email("<p>x</p>"))
    draft(acme, "drafted", email("<h1>New</h1>"), layout="base")
    draft(acme, "staged", email("<h1>New</h1>"), layout="base")
    services.publish(tenant=acme, key="staged", by="mira", share=5)
    publish(acme, "base", outer(LAYOUT % "New {{ data.promo }}"), is_layout=True, sample={"promo": "x"})
    assert republish(tenant=acme, key="base", by="mira") == [
        Republished("drafted", None, "It has a draft: publish or discard that."),
        Republished("invoice", 2),
        Republished("order", None, "`data.promo` is missing."),
        Republished("staged", None, "A version of it is being rolled out: finish or revert that."),
    ]
    context = {"promo": "x"}
    assert "<h1>invoice</h1><p>New x</p>" in said(acme, "invoice", Channel.EMAIL, context)["html"]
    assert "<h1>order</h1><p>Old</p>" in said(acme, "order", Channel.EMAIL, context)["html"]
    assert models.TemplateVersion.objects.of(acme).filter(published_at=None).count() == 1
    assert republish(tenant=tenant("globex"), key="base", by="x") == []
