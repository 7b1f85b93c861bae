"""A mail in the browser: the one that was sent, in a box that runs nothing, as long as it is kept."""

from uuid import UUID

import pytest
from django.test import Client

from apps.audience.services import forget_recipient
from apps.core.enums import Category, Channel
from apps.core.types import Tenant as Owner
from apps.dispatch.letter_links import NAMES
from apps.ledger.models import Delivery
from apps.preferences import links
from apps.templates.proving import sample_context
from apps.tenants.auditing import COMMAND
from apps.tenants.models import Tenant
from apps.tenants.selectors import forget_cached, tenant_by_id
from tests.integration.dispatch_cast import Carrier, carrier, endpoint, notify, person, route, rung, send, tenant
from tests.integration.templates_cast import email, publish
from tests.unit.templates_cast import ACME

__all__ = ["carrier", "rung"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]
BODY = '<p>Hello {{ data.name }}</p><p><a href="{{ vars.view_in_browser_url }}">In the browser</a> <a href="https://a.test/x">x</a></p>'
LINKS = "{{ vars.preferences_url }} {{ vars.unsubscribe_url }}"


def acme() -> Owner:
    found = tenant_by_id(tenant())
    assert found
    return found


def sent(recipient: UUID, category: Category = Category.SOCIAL, **fields: object) -> Delivery:
    notify([recipient], channels=[Channel.EMAIL], category=category, **fields)  # type: ignore[arg-type]
    route(category)
    send(f"send.{category}.email")
    return Delivery.objects.all_tenants().latest("id")


@pytest.fixture
def rosa() -> UUID:
    recipient = person()
    endpoint(recipient)
    publish(acme(), "hello", email(BODY), sample={"name": "Rosa"})
    return recipient


def seen(delivery: Delivery) -> tuple[int, str]:
    answer = Client().get(links.view_url(delivery.id).removeprefix("http://127.0.0.1:8000"))
    return answer.status_code, answer.content.decode()


def test_it_is_the_mail_that_was_sent_without_tracking(rosa: UUID, carrier: Carrier) -> None:
    Tenant.objects.update(tracked_categories=["social"])
    forget_cached()
    delivery = sent(rosa, template_key="hello", data={"name": "Rosa <b>"})
    left = carrier.messages[0].content["html"]
    assert "/c/" in left and "/o/" in left and links.view_url(delivery.id) in left
    publish(acme(), "hello", email("<p>Something else</p>"))
    status, html = seen(delivery)
    assert status == 200
    assert "Hello Rosa &lt;b&gt;" in html and "https://a.test/x" in html
    assert "/c/" not in html and "/o/" not in html and "Something else" not in html


def test_it_is_boxed_and_kept_to_itself(rosa: UUID, carrier: Carrier) -> None:
    delivery = sent(rosa, content={"title": "Hi", "body": "<script>alert(1)</script>"})
    answer = Client().get(links.view_url(delivery.id).removeprefix("http://127.0.0.1:8000"))
    policy = answer["Content-Security-Policy"]
    assert policy.startswith("sandbox ") and "allow-scripts" not in policy and "allow-same-origin" not in policy
    assert "default-src 'none'" in policy and "script-src" not in policy
    assert (answer["Cache-Control"], answer["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert "noindex" in answer["X-Robots-Tag"]
    assert "<script>" not in answer.content.decode()


def test_when_its_data_is_gone_it_says_so(rosa: UUID, carrier: Carrier) -> None:
    delivery = sent(rosa, template_key="hello", data={"name": "Rosa"})
    assert seen(delivery)[0] == 200
    forget_recipient(tenant=acme(), user_id="rosa", by=COMMAND)
    status, html = seen(delivery)
    assert status == 410 and "This mail cannot be shown any more" in html


def test_what_was_not_sent_cannot_be_seen(rosa: UUID) -> None:
    notify([rosa], channels=[Channel.EMAIL], template_key="hello", data={"name": "Rosa"})
    route()
    assert seen(Delivery.objects.all_tenants().get())[0] == 410
    assert Client().get("/view/abc").status_code == 404


def test_templates_know_the_links(rosa: UUID, carrier: Carrier) -> None:
    publish(acme(), "links", email(f"<p>{LINKS}</p>"))
    for category in (Category.TRANSACTIONAL, Category.MARKETING, Category.CRITICAL):
        delivery = sent(rosa, category, template_key="links")
        html = carrier.messages[-1].content["html"]
        assert links.settings_url(rosa) in html
        token = html.split("/unsubscribe/")[1].split("<")[0] if "/unsubscribe/" in html else ""
        found = links.unsubscribing(token.strip())
        if category == Category.CRITICAL:
            assert found is None and html.count(links.settings_url(rosa)) == 2
        else:
            assert found == (rosa, delivery.id, f"category:{category}", "email")


def test_previews_know_the_same_names() -> None:
    known = sample_context(ACME, {}, "")["vars"]
    assert isinstance(known, dict) and set(known) == set(NAMES)
