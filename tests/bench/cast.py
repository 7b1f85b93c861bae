"""Who and what is measured with: people with a device, a phone and a mailbox each, and three short templates."""

from dataclasses import dataclass

from apps.audience.addresses import device_token, email_address, phone_number
from apps.audience.services import upsert_recipients
from apps.core.enums import Category, Channel, KeyMode, Platform, Scope
from apps.core.types import InlineRecipient, Tenant
from apps.events.services import put_event_type
from apps.templates.services import Source, publish_changes
from apps.tenants.services import create_api_key, create_tenant

PEOPLE = 2_000
NO_LIMIT = 10_000_000
EVENTS = {
    "bench.order": Category.TRANSACTIONAL,
    "bench.code": Category.CRITICAL,
    "bench.sale": Category.MARKETING,
}


@dataclass(frozen=True)
class Cast:
    tenant: Tenant
    token: str


def invite(slug: str = "bench") -> Cast:
    tenant = create_tenant(
        slug=slug, name="Bench", email_from="bench@example.com", rate_per_second=NO_LIMIT, rate_burst=NO_LIMIT
    )
    key = create_api_key(
        tenant=tenant,
        name="bench",
        mode=KeyMode.TEST,
        scopes=list(Scope),
        rate_per_second=NO_LIMIT,
        rate_burst=NO_LIMIT,
    )
    for start in range(0, PEOPLE, 500):
        upsert_recipients(tenant=tenant, inline=[_person(n) for n in range(start, start + 500)])
    publish(tenant)
    return Cast(tenant, key.token)


def publish(tenant: Tenant) -> None:
    """The templates and the kinds of event."""
    variants = (
        Source(
            Channel.PUSH, "", {"title": "Hello {{ recipient.first_name }}", "body": "Order {{ data.order }} is here."}
        ),
        Source(Channel.SMS, "", {"body": "{{ recipient.first_name }}: order {{ data.order }} is here."}),
        Source(
            Channel.EMAIL,
            "",
            {
                "subject": "Order {{ data.order }}",
                "html": "<p>Hello {{ recipient.first_name }},</p><p>order {{ data.order }} is on its way to {{ data.city }}.</p>",
            },
        ),
    )
    publish_changes(
        tenant=tenant,
        key="bench_short",
        name="Bench",
        variants=variants,
        sample={"order": "R-1", "city": "Berlin", "$recipient": {"first_name": "Rosa"}},
        by="bench",
    )
    for key_, category in EVENTS.items():
        put_event_type(
            tenant=tenant,
            key=key_,
            name=key_,
            category=category,
            template_key="bench_short",
            channels=(Channel.PUSH, Channel.SMS),
        )


def _person(n: int) -> InlineRecipient:
    return InlineRecipient(
        f"u_{n}",
        "en",
        "Europe/Berlin",
        {"first_name": f"Person{n}", "last_name": "Bench"},
        addresses=(
            device_token(f"device-{n:06}", Platform.ANDROID, ""),
            phone_number(f"+4915112{n:06}", ""),
            email_address(f"person{n}@example.com", ""),
        ),
    )


def body(n: int, event: str, channels: tuple[str, ...] = ()) -> dict[str, object]:
    """What one notification of a caller looks like."""
    wish = {"channels": list(channels)} if channels else {}
    return {
        "user_id": f"u_{n % PEOPLE}",
        "event_type": event,
        "data": {"order": f"R-{n}", "city": "Berlin"},
        **wish,
    }
