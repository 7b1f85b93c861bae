"""The hot path: how many queries, and what is kept."""

from uuid import UUID

import pytest
from pytest_django.fixtures import DjangoAssertNumQueries

from apps.core.enums import Channel
from apps.templates import selectors
from apps.templates.parsed import forget_kept, published
from tests.integration.templates_cast import draft, email, outer, publish, said, sms, tenant

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("count", [1, 10, 100])
def test_two_queries_when_cold_and_one_when_warm(count: int, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    acme, globex = tenant(), tenant("globex")
    publish(acme, "base", outer("<main>{{ content }}</main>"), is_layout=True)
    for n in range(count):
        publish(acme, f"order{n}", sms("x"), email("<p>x</p>"), layout="base")
        publish(globex, f"order{n}", sms("y"))
    pairs = [(each.id, f"order{n}") for each in (acme, globex) for n in range(count)]
    forget_kept()
    with django_assert_num_queries(2):
        first = published(pairs)
    with django_assert_num_queries(1):
        second = published(pairs)
    assert set(first) == set(second) == set(pairs)
    assert all(first[pair].version is second[pair].version for pair in pairs)
    assert first[acme.id, "order0"].channels == {Channel.SMS, Channel.EMAIL}
    assert first[globex.id, "order0"].channels == {Channel.SMS}
    assert first[globex.id, "order0"].layout is None


def test_nothing_asked_is_no_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert published([]) == {}


def test_what_is_not_published_is_left_out() -> None:
    acme, globex = tenant(), tenant("globex")
    draft(acme, "order", sms("x"))
    publish(acme, "base", outer("{{ content }}"), is_layout=True)
    publish(acme, "secret", sms("x"))
    assert published([(acme.id, "order"), (acme.id, "base"), (acme.id, "nothing"), (globex.id, "secret")]) == {}


def test_a_new_version_is_sent_at_once() -> None:
    acme = tenant()
    publish(acme, "order", sms("One"))
    assert said(acme, "order") == {"body": "One"}
    publish(acme, "order", sms("Two"))
    assert said(acme, "order") == {"body": "Two"}


def test_no_more_is_kept_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.templates.parsed.MOST_KEPT", 2)
    acme = tenant()
    for n in range(4):
        publish(acme, f"order{n}", sms(f"{n}"))
    assert [said(acme, f"order{n}") for n in range(4)] == [{"body": f"{n}"} for n in range(4)]
    from apps.templates import parsed

    assert len(parsed._kept) == 2


def test_a_yes_is_kept_for_a_second_and_a_no_is_not(
    django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = tenant()
    draft(acme, "order", sms("x"))
    with django_assert_num_queries(2):
        assert not selectors.has_published(acme.id, "order")
        assert not selectors.has_published(acme.id, "order")
    publish(acme, "order", sms("x"))
    with django_assert_num_queries(1):
        assert selectors.has_published(acme.id, "order")
        assert selectors.has_published(acme.id, "order")
    later = selectors.monotonic() + selectors.KNOWN_SECONDS + 0.01
    monkeypatch.setattr(selectors, "monotonic", lambda: later)
    with django_assert_num_queries(1):
        assert selectors.has_published(acme.id, "order")
    assert not selectors.has_published(UUID(int=0), "order")


def test_a_layout_cannot_be_sent() -> None:
    acme = tenant()
    publish(acme, "base", outer("{{ content }}"), is_layout=True)
    assert not selectors.has_published(acme.id, "base")
