"""From what the ledger has to tell to what each endpoint is to be told. One transaction: all of it, or the same again later."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from apps.audience import selectors as audience
from apps.core.rows import atomic, execute, fetch, recordset
from apps.ledger.telling import Change, take_changes
from apps.webhooks.catalogue import TYPES
from apps.webhooks.payloads import body_of

AT_ONCE = 500

_WRITE = """
WITH input AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s) AS r(
        id uuid, tenant_id uuid, recipient_id uuid, kind text, at timestamptz, body text)
), event AS (
    INSERT INTO webhooks_webhookevent (id, tenant_id, recipient_id, kind, at, body, is_test)
    SELECT id, tenant_id, recipient_id, kind, at, body, false FROM input
    ON CONFLICT (id) DO NOTHING RETURNING id
)
INSERT INTO webhooks_webhookcall (id, tenant_id, endpoint_id, event_id)
SELECT uuidv7(), c.tenant_id, c.endpoint_id, c.event_id
FROM json_to_recordset(%(calls)s) AS c(tenant_id uuid, endpoint_id uuid, event_id uuid)
WHERE c.event_id IN (SELECT id FROM event)
"""


def collect() -> int:
    """Up to AT_ONCE changes; how many there were. A fixed number of statements."""
    with atomic():
        changes = take_changes(AT_ONCE)
        if changes:
            endpoints = _endpoints({change.tenant_id for change in changes})
            wanted = [change for change in changes if any(_wants(one, change) for one in _of(endpoints, change))]
            _write(wanted, endpoints)
    return len(changes)


Endpoints = Mapping[UUID, Sequence[tuple[UUID, bool, frozenset[str]]]]
"""By tenant: (id, whether it is on, its events)."""


def _endpoints(tenants: set[UUID]) -> Endpoints:
    """Locked against being deleted until the calls are written."""
    found: dict[UUID, list[tuple[UUID, bool, frozenset[str]]]] = {}
    for tenant_id, endpoint_id, is_on, events in fetch(
        """SELECT tenant_id, id, is_on, events FROM webhooks_webhookendpoint WHERE tenant_id = ANY(%(tenants)s)
        ORDER BY id FOR KEY SHARE""",
        {"tenants": list(tenants)},
    ):
        found.setdefault(tenant_id, []).append((endpoint_id, is_on, frozenset(events)))
    return found


def _of(endpoints: Endpoints, change: Change) -> Sequence[tuple[UUID, bool, frozenset[str]]]:
    return endpoints.get(change.tenant_id, ())


def _wants(endpoint: tuple[UUID, bool, frozenset[str]], change: Change) -> bool:
    """One that is off gets it when somebody replays it."""
    return TYPES.get(change.kind) in endpoint[2]


def _write(changes: Sequence[Change], endpoints: Endpoints) -> None:
    if not changes:
        return
    people = audience.recipients({change.recipient_id for change in changes if change.recipient_id})
    user_ids = {id_: person.user_id for id_, person in people.items()}
    rows = [
        {
            "id": change.id,
            "tenant_id": change.tenant_id,
            "recipient_id": change.recipient_id,
            "kind": TYPES[change.kind],
            "at": change.at,
            "body": body_of(change, user_ids.get(change.recipient_id) if change.recipient_id else None),
        }
        for change in changes
    ]
    calls = [
        {"tenant_id": change.tenant_id, "endpoint_id": one[0], "event_id": change.id}
        for change in changes
        for one in _of(endpoints, change)
        if one[1] and _wants(one, change)
    ]
    execute(_WRITE, {"rows": recordset(rows), "calls": recordset(calls)})
