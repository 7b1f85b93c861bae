"""What a summary says when it is sent: by whose template, about what, and what is left out by then."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from django.test import Client

from apps.audience.models import Endpoint, Recipient
from apps.channels.selectors import forget_cached
from apps.core import clock
from apps.core.enums import Channel
from apps.core.types import Tenant
from apps.events.selectors import forget_cached as forget_event_types
from apps.inbox import pokes
from apps.inbox.selectors import counts, feed_page
from apps.inbox.services import mark_all
from apps.ledger.models import Bundle, Delivery, Notification
from apps.ledger.timeline import timeline
from apps.preferences.links import view_url
from apps.preferences.models import Mute, Preference, Profile
from apps.templates.proving import Source
from apps.tenants.selectors import tenant_by_id
from tests.integration.bundles_cast import deliver, flush, like, liked, summaries
from tests.integration.dispatch_cast import (
    Carrier,
    endpoint,
    make_due,
    notify,
    person,
    route,
    send,
    soon,
    states,
    tenant,
)
from tests.integration.dispatch_cast import carrier as carrier  # a fixture
from tests.integration.dispatch_cast import rung as rung  # a fixture
from tests.integration.templates_cast import publish

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh(rung: list[str]) -> None:
    forget_cached()
    forget_event_types()


@pytest.fixture
def rosa() -> UUID:
    rosa = person()
    endpoint(rosa)
    return rosa


def wait_and_flush(rosa: UUID, count: int = 3, **fields: Any) -> None:
    liked(rosa, count, **fields)
    route("social")
    make_due()
    flush()


def acme() -> Tenant:
    found = tenant_by_id(tenant())
    assert found
    return found


def letter(subject: str, html: str = "<p>Hello</p>") -> Source:
    return Source(Channel.EMAIL, "", {"subject": subject, "html": html})


def mail(carrier: Carrier) -> dict[str, str]:
    assert deliver() == 1
    (message,) = carrier.messages
    return dict(message.content)


def test_without_a_template_it_says_it_in_plain_words(rosa: UUID, carrier: Carrier) -> None:
    like()
    wait_and_flush(rosa)
    said = mail(carrier)
    assert said["subject"] == "Likes: Actor 0 and 2 others"
    assert said["text"].startswith("• Likes\n• Likes\n• Likes")


@pytest.mark.parametrize(("locale", "others"), [("de-AT", "und 2 weitere Personen"), ("ar", "وآخرون (2)")])
def test_it_speaks_the_readers_language(rosa: UUID, carrier: Carrier, locale: str, others: str) -> None:
    Recipient.objects.of(tenant()).filter(id=rosa).update(locale=locale)
    like()
    wait_and_flush(rosa)
    assert mail(carrier)["subject"] == f"Likes: Actor 0 {others}"


def test_the_event_types_template_comes_first(rosa: UUID, carrier: Carrier) -> None:
    like(digest_template_key="likes_digest", template_key="like")
    publish(acme(), "like", letter("{{ data.actor_name }} likes {{ event.object_id }}"), sample={"actor_name": "Ann"})
    publish(acme(), "digest", letter("Never this one"))
    publish(
        acme(),
        "likes_digest",
        letter(
            "{{ digest.actors | first }} and {{ digest.others }} others liked {{ digest.object_id }}",
            "<p>{{ digest.total }}{% for item in digest.items %}; {{ item.title }} by {{ item.data.actor_name }}{% endfor %}</p>",
        ),
    )
    wait_and_flush(rosa, content={})
    said = mail(carrier)
    assert said["subject"] == "Actor 0 and 2 others liked post1"
    assert "3; Actor 0 likes post1 by Actor 0; Actor 1 likes post1 by Actor 1; Actor 2 likes" in said["html"]
    assert summaries()[0].template_key == "likes_digest"


def test_the_tenants_own_template_is_the_next(rosa: UUID, carrier: Carrier) -> None:
    like()
    publish(acme(), "digest", letter("{{ digest.total }} for you {{ digest.frequency }}"))
    wait_and_flush(rosa)
    assert mail(carrier)["subject"] == "3 for you"


def test_a_template_that_fails_is_passed_over(rosa: UUID, carrier: Carrier) -> None:
    like(digest_template_key="likes_digest")
    publish(acme(), "likes_digest", letter("{{ data.surprise }}"), sample={"surprise": "x"})
    wait_and_flush(rosa)
    assert mail(carrier)["subject"] == "Likes: Actor 0 and 2 others"


def test_secrets_are_not_told_and_are_erased(rosa: UUID, carrier: Carrier) -> None:
    like(sensitive_keys=["actor_name"])
    wait_and_flush(rosa)
    assert mail(carrier)["subject"] == "Likes: a0 and 2 others"


def test_what_was_switched_off_while_it_waited_is_left_out(rosa: UUID, carrier: Carrier) -> None:
    like()
    like("post.shared", name="Shares")
    Preference.objects.create(
        tenant_id=tenant(), recipient_id=rosa, topic="*", channel="email", is_on=True, digest="hourly"
    )
    liked(rosa, 2)
    liked(rosa, 2, first=2, event_type="post.shared")
    route("social")
    Bundle.objects.of(tenant()).update(opened_at=soon(-7200), flush_at=soon(-1))
    make_due()
    flush()
    (summary,) = summaries()
    Preference.objects.of(tenant()).delete()
    Preference.objects.create(tenant_id=tenant(), recipient_id=rosa, topic="post.liked", channel="email", is_on=False)
    Recipient.objects.of(tenant()).update(preferences_version=5)
    assert summary.event_type == ""
    assert mail(carrier)["subject"] == "2 new messages"


def test_it_is_withheld_when_all_its_parts_are_off(rosa: UUID, carrier: Carrier) -> None:
    like()
    wait_and_flush(rosa)
    route("social")
    Mute.objects.create(
        tenant_id=tenant(), recipient_id=rosa, topic="post.*", channel="*", until=clock.now() + timedelta(days=1)
    )
    Recipient.objects.of(tenant()).update(preferences_version=5)
    send("send.social.email")
    assert carrier.messages == []
    assert states().count(("email", "skipped", "muted")) == 1


def test_whom_the_reader_has_blocked_is_not_told_of(rosa: UUID, carrier: Carrier) -> None:
    like()
    wait_and_flush(rosa)
    route("social")
    Profile.objects.create(tenant_id=tenant(), recipient_id=rosa, blocked_actors=["a0"])
    Recipient.objects.of(tenant()).update(preferences_version=5)
    send("send.social.email")
    assert carrier.messages[0].content["subject"] == "Likes: Actor 1 and 1 other"


def test_it_can_be_read_in_the_browser(rosa: UUID, carrier: Carrier) -> None:
    like(digest_template_key="likes_digest")
    publish(acme(), "likes_digest", letter("Likes", "<p>{{ digest.total }} likes</p>"))
    wait_and_flush(rosa)
    assert "3 likes" in mail(carrier)["html"]
    sent = Delivery.objects.of(tenant()).get(status="sent")
    publish(acme(), "likes_digest", letter("Likes", "<p>Changed since</p>"))
    answer = Client().get(urlsplit(view_url(sent.id)).path)
    assert answer.status_code == 200
    assert "3 likes" in answer.content.decode()


def feed(rosa: UUID) -> list[str]:
    page = feed_page(
        tenant_id=tenant(),
        recipient_id=rosa,
        limit=20,
        before=None,
        is_unread_only=False,
        is_archived=False,
        now=clock.now(),
    )
    return [item.content["title"] for item in page.items]


def in_feed(rosa: UUID, **fields: Any) -> None:
    wait_and_flush(rosa, channels=[Channel.IN_APP], **fields)
    deliver(channel=Channel.IN_APP)


def test_in_the_feed_a_summary_takes_the_place_of_what_it_sums_up(
    rosa: UUID, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    like(group_leads=True)
    (first,) = liked(rosa, channels=[Channel.IN_APP])
    deliver(channel=Channel.IN_APP)
    assert feed(rosa) == ["Likes"]
    poked: list[Any] = []
    monkeypatch.setattr(pokes, "_publish", poked.append)
    with django_capture_on_commit_callbacks(execute=True):
        in_feed(rosa, count=2, first=1)
    assert feed(rosa) == ["Likes: Actor 0 and 2 others"]
    assert len(poked) == 1 and len(poked[0]) == 1
    unread = counts(tenant_id=tenant(), recipient_id=rosa, now=clock.now())
    assert (unread.unread, unread.unseen) == (1, 1)
    led = Delivery.objects.of(tenant()).get(notification_id=first)
    assert (led.status, led.merged_into) == ("delivered", summaries()[0].id)
    liked(rosa, 2, first=3, channels=[Channel.IN_APP])
    deliver(channel=Channel.IN_APP)
    assert feed(rosa) == ["Likes", "Likes: Actor 0 and 2 others"]
    make_due()
    flush()
    deliver(channel=Channel.IN_APP)
    assert feed(rosa) == ["Likes: Actor 0 and 4 others"]


def test_one_that_was_read_stays_and_one_alone_stands_beside_it(rosa: UUID) -> None:
    like()
    in_feed(rosa, count=2)
    mark_all(tenant_id=tenant(), recipient_id=rosa, now=clock.now())
    in_feed(rosa, count=1, first=2)
    assert feed(rosa) == ["Likes", "Likes: Actor 0 and 1 other"]
    in_feed(rosa, count=1, first=3)
    assert feed(rosa) == ["Likes: Actor 2 and 1 other", "Likes: Actor 0 and 1 other"]


def test_other_groups_are_left_alone(rosa: UUID) -> None:
    like()
    in_feed(rosa, count=2)
    in_feed(rosa, count=2, about="post2")
    notify([rosa], channels=[Channel.IN_APP], category="social", content={"title": "Hello", "body": "x"})
    deliver(channel=Channel.IN_APP)
    assert feed(rosa) == ["Hello", "Likes: Actor 0 and 1 other", "Likes: Actor 0 and 1 other"]
    assert Notification.objects.of(tenant()).count() == 7


def test_what_was_read_between_the_flush_and_the_feed_stays(rosa: UUID) -> None:
    like()
    in_feed(rosa, count=2)
    wait_and_flush(rosa, 2, first=2, channels=[Channel.IN_APP])
    mark_all(tenant_id=tenant(), recipient_id=rosa, now=clock.now())
    deliver(channel=Channel.IN_APP)
    assert feed(rosa) == ["Likes: Actor 0 and 3 others", "Likes: Actor 0 and 1 other"]


def test_a_second_summary_is_no_copy_of_the_first(rosa: UUID, carrier: Carrier) -> None:
    like(dedup_window_seconds=600, dedup_by="object")
    for first in (0, 2):
        liked(rosa, 2, first=first)
        route("social")
        make_due()
        flush()
        assert deliver() == 1
    assert [
        d.status for d in Delivery.objects.of(tenant()).filter(notification_id__in=[s.id for s in summaries()])
    ] == [
        "sent",
        "sent",
    ]


def test_a_summary_falls_back_as_its_event_type_does(rosa: UUID, carrier: Carrier) -> None:
    device = endpoint(rosa, Channel.PUSH, "token", platform="ios")
    like(fallback=["push", "email"])
    wait_and_flush(rosa, channels=[Channel.PUSH])
    Endpoint.objects.of(tenant()).filter(id=device).update(retired_at=clock.now())
    assert mail(carrier)["subject"] == "Likes: Actor 0 and 2 others"
    (summary,) = summaries()
    found = Delivery.objects.of(tenant()).filter(notification_id=summary.id).order_by("channel")
    assert [(d.channel, d.status, d.reason) for d in found] == [
        ("email", "sent", ""),
        ("push", "skipped", "endpoint_retired"),
    ]
    first = timeline(tenant_id=tenant(), notification_id=summary.id)[0]
    assert first.text == "Made to sum up other messages: post.liked, social, test mode."
