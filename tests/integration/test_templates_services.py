"""Drafts, versions, layouts: what changes, and what never does."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from apps.core.enums import Channel
from apps.core.problem_codes import Code
from apps.core.problems import FieldError, Problem
from apps.core.types import Tenant
from apps.templates import models, selectors, services
from tests.integration.templates_cast import draft, email, outer, publish, said, sms, tenant

pytestmark = pytest.mark.django_db
LAYOUT = "<html><body>{{ content }}<p>%s</p></body></html>"


@pytest.fixture
def acme() -> Tenant:
    return tenant()


def problem(call: Callable[[], Any]) -> Problem:
    with pytest.raises(Problem) as caught:
        call()
    return caught.value


def variants(version: Any) -> Any:
    return models.TemplateVariant.objects.filter(version_id=version.id)


def history(acme: Tenant) -> list[tuple[int, bool, str]]:
    rows = models.TemplateVersion.objects.of(acme).order_by("number")
    return [(row.number, row.published_at is not None, row.published_by) for row in rows]


def test_a_draft_is_replaced_and_not_sent(acme: Tenant) -> None:
    assert draft(acme, "order", sms("One"), email("<p>x</p>"), sample={"a": 1}) == 1
    assert draft(acme, "order", sms("Two")) == 1
    assert history(acme) == [(1, False, "")]
    assert [row.source for row in models.TemplateVariant.objects.of(acme)] == [{"body": "Two"}]
    assert models.Template.objects.of(acme).get().current is None


def test_publishing_makes_it_current_and_keeps_every_version(acme: Tenant) -> None:
    assert [publish(acme, "order", sms(text)) for text in ("One", "Two", "Three")] == [1, 2, 3]
    assert history(acme) == [(1, True, "mira"), (2, True, "mira"), (3, True, "mira")]
    assert said(acme, "order") == {"body": "Three"}


def test_a_draft_beside_a_published_version_is_not_sent(acme: Tenant) -> None:
    publish(acme, "order", sms("One"))
    draft(acme, "order", sms("Two {{ broken }"))
    assert said(acme, "order") == {"body": "One"}


def test_there_is_nothing_to_publish_twice(acme: Tenant) -> None:
    publish(acme, "order", sms("One"))
    assert problem(lambda: services.publish(tenant=acme, key="order", by="mira")).code is Code.NOTHING_TO_PUBLISH
    assert problem(lambda: services.publish(tenant=acme, key="ordr", by="mira")).code is Code.NOT_FOUND
    assert history(acme) == [(1, True, "mira")]


def test_it_refuses_to_publish_what_is_broken(acme: Tenant) -> None:
    publish(acme, "order", sms("One"))
    draft(acme, "order", sms("Hi"), sms("Hallo\n {{ name }", "de"), email("<p>{{ data.id }}</p>"))
    found = problem(lambda: services.publish(tenant=acme, key="order", by="mira"))
    assert found.code is Code.TEMPLATE_INVALID
    assert found.errors == [
        FieldError("/variants/1/body", "stray_braces", "`{{` is not closed with `}}`.", 2, 2),
        FieldError("/variants/2/html", "missing_data", "`data.id` is missing.", 1, 7),
    ]
    assert history(acme) == [(1, True, "mira"), (2, False, "")]
    assert said(acme, "order") == {"body": "One"}


def test_it_goes_back_and_forth(acme: Tenant) -> None:
    for text in ("One", "Two", "Three"):
        publish(acme, "order", sms(text))
    assert services.rollback(tenant=acme, key="order", to_number=1, by="mira") == 1
    assert said(acme, "order") == {"body": "One"}
    assert services.rollback(tenant=acme, key="order", to_number=3, by="mira") == 3
    assert said(acme, "order") == {"body": "Three"}
    assert publish(acme, "order", sms("Four")) == 4
    template_id = models.Template.objects.of(acme).get().id
    assert [(step.number, step.action, step.by) for step in selectors.steps(acme, template_id, 4)] == [
        (4, "published", "mira"),
        (3, "rolled_back", "mira"),
        (1, "rolled_back", "mira"),
        (3, "published", "mira"),
    ]


def test_the_database_keeps_every_step(acme: Tenant) -> None:
    publish(acme, "order", sms("One"))
    for change in (lambda rows: rows.update(by="otto"), lambda rows: rows.delete()):
        with pytest.raises(IntegrityError, match="a step of a template does not change"), transaction.atomic():
            change(models.TemplateStep.objects.of(acme))
    assert models.TemplateStep.objects.of(acme).get().by == "mira"


def test_it_goes_back_to_published_versions_only(acme: Tenant) -> None:
    publish(acme, "order", sms("One"))
    draft(acme, "order", sms("Two"))
    for number in (2, 7):
        found = problem(lambda number=number: services.rollback(tenant=acme, key="order", to_number=number, by="mira"))
        assert found.code is Code.NOT_FOUND
    assert said(acme, "order") == {"body": "One"}


@pytest.mark.parametrize(
    "change",
    [
        lambda version: models.TemplateVersion.objects.filter(id=version.id).update(sample={"a": 1}),
        lambda version: models.TemplateVersion.objects.filter(id=version.id).update(published_at=None),
        lambda version: models.TemplateVersion.objects.filter(id=version.id)._raw_delete("default"),
        lambda version: variants(version).update(source={"body": "Changed"}),
        lambda version: variants(version).update(compiled={"body": "Changed"}),
        lambda version: variants(version).delete(),
        lambda version: models.TemplateVariant.objects.create(
            tenant_id=version.tenant_id, version=version, channel="sms", locale="de", source={}
        ),
        lambda version: models.Template.objects.update(current=None) and version.template.delete(),
    ],
)
def test_the_database_keeps_what_was_published(acme: Tenant, change: Callable[[Any], Any]) -> None:
    publish(acme, "order", sms("One"))
    version = models.TemplateVersion.objects.of(acme).get()
    with pytest.raises(IntegrityError, match="a published template version does not change"), transaction.atomic():
        change(version)
    assert models.TemplateVariant.objects.of(acme).get().compiled == {"body": "One"}
    assert said(acme, "order") == {"body": "One"}


def test_an_operator_may_erase_on_purpose(acme: Tenant) -> None:
    publish(acme, "order", sms("One"))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL notifier.erase_templates = 'on'")
    models.Template.objects.of(acme).update(current=None)
    models.Template.objects.of(acme).delete()
    assert not models.TemplateVariant.objects.of(acme).exists()


def test_a_layout_must_be_published_first(acme: Tenant) -> None:
    draft(acme, "base", outer(LAYOUT % "x"), is_layout=True)
    draft(acme, "order", email("<p>x</p>"), layout="base")
    found = problem(lambda: services.publish(tenant=acme, key="order", by="mira"))
    assert (found.code, found.errors[0].pointer) == (Code.TEMPLATE_INVALID, "/layout")
    assert history(acme) == [(1, False, ""), (1, False, "")]


@pytest.mark.parametrize(
    ("options", "code", "pointer"),
    [
        ({"key": "Order"}, Code.OUT_OF_RANGE, "#path/key"),
        ({"key": "a" * 101}, Code.OUT_OF_RANGE, "#path/key"),
        ({"key": "a\n"}, Code.OUT_OF_RANGE, "#path/key"),
        ({"sample": {"$recipient": "rosa"}}, Code.WRONG_TYPE, "/sample/$recipient"),
        ({"sample": {"$given": [1]}}, Code.WRONG_TYPE, "/sample/$given"),
        ({"layout": "nowhere"}, Code.UNKNOWN_TEMPLATE, "/layout"),
        ({"layout": "plain"}, Code.UNKNOWN_TEMPLATE, "/layout"),
        ({"layout": "foreign"}, Code.UNKNOWN_TEMPLATE, "/layout"),
        ({"layout": "base", "is_layout": True, "variants": []}, Code.CONTRADICTION, "/layout"),
        ({"variants": [sms("a", "xx-YY")]}, Code.INVALID_LOCALE, "/variants/0/locale"),
        ({"variants": [sms("a", "de-ch"), sms("b", "de-CH")]}, Code.CONTRADICTION, "/variants/1"),
        (
            {"variants": [services.Source(Channel.SMS, "", {"title": "a"})]},
            Code.UNKNOWN_FIELD,
            "/variants/0/content/title",
        ),
        ({"variants": [sms("a" * 10_001)]}, Code.OUT_OF_RANGE, "/variants/0/content/body"),
        ({"key": "plain", "is_layout": True, "variants": []}, Code.CONFLICT, "/is_layout"),
    ],
)
def test_it_refuses_drafts_that_cannot_be(acme: Tenant, options: dict[str, Any], code: Code, pointer: str) -> None:
    publish(acme, "plain", sms("x"))
    publish(acme, "base", outer(LAYOUT % "x"), is_layout=True)
    publish(tenant("globex"), "foreign", outer(LAYOUT % "x"), is_layout=True)
    before = history(acme)
    given = {"tenant": acme, "key": "order", "name": "Order", "variants": [sms("x")]} | options
    found = problem(lambda: services.save_draft(**given))
    assert (found.code, [error.pointer for error in found.errors]) == (code, [pointer])
    assert history(acme) == before
    assert not models.Template.objects.of(acme).filter(key="order").exists()


def test_it_says_all_that_is_wrong_at_once(acme: Tenant) -> None:
    variants = [sms("a", "xx"), services.Source(Channel.PUSH, "", {"titel": "a", "bodi": "b"})]
    found = problem(lambda: draft(acme, "order", *variants))
    assert found.code is Code.VALIDATION_ERROR
    assert [error.pointer for error in found.errors] == [
        "/variants/0/locale",
        "/variants/1/content/titel",
        "/variants/1/content/bodi",
    ]


def test_tenants_do_not_see_each_other(acme: Tenant) -> None:
    globex = tenant("globex")
    publish(acme, "order", sms("Acme"))
    publish(globex, "order", sms("Globex"))
    assert (said(acme, "order"), said(globex, "order")) == ({"body": "Acme"}, {"body": "Globex"})
    publish(acme, "secret", sms("x"))
    assert problem(lambda: services.publish(tenant=globex, key="secret", by="x")).code is Code.NOT_FOUND
    assert problem(lambda: services.rollback(tenant=globex, key="secret", to_number=1, by="x")).code is Code.NOT_FOUND


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_leave_one_draft_and_numbers_without_gaps() -> None:
    acme = tenant()
    errors: list[BaseException] = []
    numbers: list[int] = []
    start = threading.Barrier(4)

    def write(n: int) -> None:
        start.wait()
        try:
            for turn in range(5):
                services.save_draft(tenant=acme, key="order", name="Order", variants=[sms(f"{n} {turn}")])
                try:
                    numbers.append(services.publish(tenant=acme, key="order", by=str(n)))
                except Problem as found:
                    assert found.code is Code.NOTHING_TO_PUBLISH
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    rows = models.TemplateVersion.objects.of(acme)
    assert rows.filter(published_at=None).count() <= 1
    assert [row.number for row in rows.order_by("number")] == list(range(1, rows.count() + 1))
    assert models.Template.objects.of(acme).get().current.number == max(numbers)
