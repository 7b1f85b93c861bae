"""manage.py seed_demo [--out FILE]: a tenant with people, event types and published templates, to try things with.

Run it as often as you like: what is there stays, what was changed comes back. The test key's token is stored nowhere but in
FILE (mode 600); while FILE holds one that works it is kept, otherwise the key gets a new secret.
"""

import json
import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from apps.audience.addresses import device_token, email_address, phone_number
from apps.audience.services import upsert_user
from apps.channels.sandbox.behaviour import BEHAVIOURS, DELIVERED, DOMAIN, TOKEN_PREFIX
from apps.core.enums import KeyMode, Platform, Scope
from apps.core.types import Address, Critical, InlineRecipient, Tenant
from apps.events.services import put_event_type
from apps.ingest.management import demo_content, demo_digests
from apps.templates.services import publish_changes
from apps.tenants.selectors import caller_by_token, key_id_by_name, tenant_by_slug
from apps.tenants.services import create_api_key, create_tenant, rotate_api_key

SLUG, KEY_NAME, ADMIN = "demo", "demo", "admin"
RIDER, CONTACT = "u_rider", "u_contact"
NOBODY = {"tenant": "", "test_key": "", "admin_user": "", "admin_password": ""}


class Person(NamedTuple):
    user_id: str
    first_name: str
    last_name: str
    email: str = ""
    phone: str = ""
    device: str = ""
    locale: str = "en"
    timezone: str = "UTC"


PEOPLE = (
    Person(RIDER, "Rosa", "Lind", "rosa@simulator.test", "+15005550006", "sim:rosa", "de-DE", "Europe/Berlin"),
    Person(CONTACT, "Otto", "Lind", phone="+15005550007"),
    Person("u_19384721", "Ada", "Moss", "ada@simulator.test", "+15005550016", "sim:ada", timezone="America/New_York"),
)


class Command(BaseCommand):
    help = "Make the demo tenant with people, event types and templates. Can be run again and again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--out", type=Path, help="where to write tenant, test key and admin login as JSON; else printed"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        out: Path | None = Path(options["out"]) if options["out"] else None
        known = NOBODY | (_read(out) if out else {})
        with transaction.atomic():
            tenant = tenant_by_slug(SLUG) or create_tenant(
                slug=SLUG, name="Demo Rides", timezone="Europe/Berlin", email_from="Demo Rides <rides@demo.test>"
            )
            seed_people(tenant)
            seed_content(tenant)
            demo = {
                "tenant": tenant.slug,
                "test_key": _test_key(tenant, known["test_key"]),
                "admin_user": ADMIN,
                "admin_password": _admin_password(known["admin_password"]),
                "rider": RIDER,
                "contact": CONTACT,
            }
        if out is None:
            self.stdout.write(json.dumps(demo, indent=2))
        else:
            _write(out, demo)
            self.stderr.write(f"Demo data is ready; its key and login are in {out}.")


def seed_people(tenant: Tenant) -> None:
    """Rosa, Otto and Ada, and one person for each thing that the sandbox can do."""
    magic = (
        Person(
            f"u_{each.word}", each.word.title(), "Magic", f"{each.word}@{DOMAIN}", each.phone, TOKEN_PREFIX + each.word
        )
        for each in BEHAVIOURS
        if each is not DELIVERED
    )
    for person in (*PEOPLE, *magic):
        attributes = {"first_name": person.first_name, "last_name": person.last_name}
        user = InlineRecipient(person.user_id, person.locale, person.timezone, attributes, addresses=_addresses(person))
        upsert_user(tenant=tenant, user=user)


def _addresses(person: Person) -> tuple[Address, ...]:
    return (
        *([email_address(person.email, "")] if person.email else []),
        *([phone_number(person.phone, "")] if person.phone else []),
        *([device_token(person.device, Platform.ANDROID, "")] if person.device else []),
    )


def seed_content(tenant: Tenant) -> None:
    """Publishes only what differs from what is published, so that a second run makes no new versions."""
    layout = demo_content.LAYOUT_KEY
    publish_changes(
        tenant=tenant, key=layout, name="Demo layout", variants=demo_content.LAYOUT, is_layout=True, by="seed_demo"
    )
    for digest in demo_digests.ALL:
        publish_changes(
            tenant=tenant,
            key=digest.template_key,
            name=digest.name,
            variants=digest.variants,
            layout=layout,
            by="seed_demo",
        )
    for demo in demo_content.ALL:
        publish_changes(
            tenant=tenant,
            key=demo.template_key,
            name=demo.name,
            variants=demo.variants,
            layout=layout,
            sample=demo.sample,
            by="seed_demo",
        )
        put_event_type(
            tenant=tenant,
            key=demo.event_type,
            name=demo.name,
            category=demo.category,
            template_key=demo.template_key,
            channels=demo.channels,
            fallback=demo.fallback,
            sensitive_keys=demo.sensitive_keys,
            owner=demo.owner,
            grouping=demo_digests.GROUPINGS.get(demo.event_type),
            digest_template_key=demo_digests.DIGEST_TEMPLATES.get(demo.event_type, ""),
            critical=Critical(demo.critical_reason, asked_by=demo.owner, approved_by="seed_demo"),
        )


def _test_key(tenant: Tenant, token: str) -> str:
    caller = caller_by_token(token)
    if caller is not None and caller.tenant.id == tenant.id and caller.mode is KeyMode.TEST:
        return token
    key_id = key_id_by_name(tenant, KEY_NAME)
    if key_id is not None:
        return rotate_api_key(tenant=tenant, key_id=key_id, overlap=timedelta(0)).token
    return create_api_key(tenant=tenant, name=KEY_NAME, mode=KeyMode.TEST, scopes=list(Scope)).token


def _admin_password(known: str) -> str:
    """NOTIFIER_ADMIN_PASSWORD, or the known one while it works, or a new one. Set only when it differs: hashing takes its time."""
    users = get_user_model().objects
    admin, is_new = users.get_or_create(username=ADMIN, defaults={"is_staff": True, "is_superuser": True})
    password = settings.ADMIN_PASSWORD or known or secrets.token_urlsafe(12)
    if is_new or not admin.check_password(password):
        admin.is_staff = admin.is_superuser = admin.is_active = True
        admin.set_password(password)
        admin.save()
    return password


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


def _write(path: Path, demo: dict[str, str]) -> None:
    """Whole or not at all, readable by its owner only."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(demo, file, indent=2)
    fresh.replace(path)
