"""A million people: made by PostgreSQL, their addresses sealed here and copied in."""

from collections.abc import Iterator
from uuid import UUID

from django.db import connection

from apps.audience.addresses import address_hash
from apps.core import crypto, ids
from apps.core.enums import Channel

PAGE = 50_000
ZONES = (
    *("Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles", "Asia/Tokyo", "Asia/Kolkata"),
    *("Australia/Sydney", "Africa/Lagos", "America/Sao_Paulo", "Asia/Dubai"),
)
_PEOPLE = """
INSERT INTO audience_recipient (id, created_at, updated_at, tenant_id, user_id, locale, timezone, attributes, preferences_version)
SELECT uuidv7(), now(), now(), %(tenant)s, 'c_' || n, 'en', (%(zones)s::text[])[1 + n %% 10],
    jsonb_build_object('plan', CASE WHEN n %% 4 = 0 THEN 'pro' ELSE 'free' END, 'first_name', 'Person' || n), 0
FROM generate_series(%(first)s, %(last)s) n RETURNING id
"""
_COPY = """
COPY audience_endpoint (id, created_at, updated_at, tenant_id, recipient_id, channel, kind, sealed, address_hash, masked, platform,
    verified_at, retired_reason) FROM STDIN
"""
_CHOICES = """
WITH picked AS (SELECT id FROM audience_recipient WHERE tenant_id = %(tenant)s AND substr(user_id, 3)::int %% 10 = 0),
noted AS (UPDATE audience_recipient SET preferences_version = 1 WHERE id IN (SELECT id FROM picked))
INSERT INTO preferences_preference (id, created_at, updated_at, tenant_id, recipient_id, topic, channel, is_on, source)
SELECT uuidv7(), now(), now(), %(tenant)s, id, t.topic, 'email', t.is_on, 'settings_page' FROM picked
CROSS JOIN (VALUES ('category:social', false), ('category:marketing', true)) AS t(topic, is_on)
"""


def gather(tenant_id: UUID, count: int) -> None:
    """Each with a verified mail address; every tenth has chosen something."""
    with connection.cursor() as cursor:
        for first in range(0, count, PAGE):
            last = min(first + PAGE, count) - 1
            cursor.execute(_PEOPLE, {"tenant": tenant_id, "zones": list(ZONES), "first": first, "last": last})
            people = [id_ for (id_,) in cursor.fetchall()]
            with cursor.copy(_COPY) as copy:
                for row in _addresses(tenant_id, people, first):
                    copy.write_row(row)
        cursor.execute(_CHOICES, {"tenant": tenant_id})
        cursor.execute("VACUUM ANALYZE audience_recipient, audience_endpoint, preferences_preference")


def _addresses(tenant_id: UUID, people: list[UUID], first: int) -> Iterator[tuple[object, ...]]:
    now = "now"
    for n, person in enumerate(people, start=first):
        id_, address = ids.new(), f"person{n}@d{n % 50}.example.com"
        sealed = crypto.encrypt(address.encode(), bound_to=id_.bytes)
        hashed = address_hash(tenant_id, Channel.EMAIL, address)
        masked = f"p***@d{n % 50}.example.com"
        yield id_, now, now, tenant_id, person, "email", "email", sealed, hashed, masked, "", now, ""
