"""Every change of a setting over the API is in the audit log; /v1/audit reads it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client

from apps.core import ids
from apps.core.enums import KeyMode, Scope
from apps.core.types import Tenant
from apps.tenants.auditing import COMMAND, prune, record
from apps.tenants.models import AuditEntry
from apps.tenants.services import create_api_key
from tests.integration import admin_cast as cast
from tests.integration.admin_fixtures import acme as acme

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]

HOOK = {"url": "https://93.184.215.14/hook?key=s3cret", "events": ["message.sent"], "description": "Acme's shop"}
EVENT = {"name": "Order shipped", "category": "transactional", "channels": ["email"]}
TEMPLATE = {
    "name": "Shipped",
    "variants": [{"channel": "sms", "locale": "en", "content": {"body": "to rosa@acme.example"}}],
}


def caller(tenant: Tenant, name: str = "shop") -> Call:
    token = create_api_key(tenant=tenant, name=name, mode=KeyMode.TEST, scopes=[Scope.ADMIN]).token

    def call(method: str, path: str, body: Any = None, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}", "X-Request-Id": "req-of-the-shop"}
        return getattr(Client(), method)(f"/v1/{path}", body, content_type="application/json", headers=headers, **more)

    return call


def log() -> list[tuple[str, str, str, dict[str, Any]]]:
    rows = AuditEntry.objects.all_tenants().order_by("id").values_list("action", "kind", "label", "difference")
    return list(rows)


def test_a_change_is_kept_with_what_it_was_and_became(acme: Tenant) -> None:
    call = caller(acme)
    assert call("put", "event-types/order.shipped", EVENT).status_code == 201
    assert call("put", "event-types/order.shipped", EVENT | {"channels": ["email", "sms"]}).status_code == 200
    assert call("put", "event-types/order.shipped", EVENT | {"channels": ["email", "sms"]}).status_code == 200
    assert call("delete", "event-types/order.shipped").status_code == 204
    added, changed, deleted = AuditEntry.objects.all_tenants().order_by("id")
    assert added.difference["category"] == [None, "transactional"]
    assert changed.difference == {"channels": [["email"], ["email", "sms"]]}
    assert (changed.action, changed.kind, changed.label) == ("change", "events.eventtype", "order.shipped")
    assert (changed.actor, changed.actor_kind, changed.request_id) == ("key shop", "key", "req-of-the-shop")
    assert changed.tenant_id == acme.id
    assert (deleted.action, deleted.difference["channels"]) == ("delete", [["email", "sms"], None])
    assert added.object_id == changed.object_id == deleted.object_id != ""


def test_what_is_refused_is_no_change(acme: Tenant) -> None:
    call = caller(acme)
    assert call("put", "event-types/order.shipped", EVENT | {"fallback": ["pigeon"]}).status_code == 400
    assert call("delete", "event-types/order.shipped").status_code == 404
    assert call("put", "frequency-caps/social", {"limit": 0}).status_code == 400
    assert log() == []


def test_secrets_addresses_and_what_is_said_are_never_in_it(acme: Tenant) -> None:
    call = caller(acme)
    made = call("post", "webhook-endpoints", HOOK).json()
    call("patch", f"webhook-endpoints/{made['id']}", {"url": "https://93.184.215.14/other?key=s3cret2"})
    rotated = call("post", f"webhook-endpoints/{made['id']}/rotate-secret", {"overlap_hours": 1}).json()
    assert call("put", "templates/shipped", TEMPLATE).status_code == 201
    assert [row[:2] for row in log()] == [
        ("add", "webhooks.webhookendpoint"),
        ("change", "webhooks.webhookendpoint"),
        ("rotate", "webhooks.webhookendpoint"),
        ("save_draft", "message_templates.template"),
    ]
    assert log()[1][3]["url"] == "changed"
    assert log()[2][3]["sealed"] == "changed"
    kept = str(list(AuditEntry.objects.all_tenants().values()))
    for secret in ("s3cret", made["secret"], rotated["secret"], "93.184.215", "acme.example", "rosa"):
        assert secret not in kept


def test_every_setting_of_the_api_leaves_its_entry(acme: Tenant) -> None:
    call = caller(acme)
    call("put", "preference-defaults/category:marketing/*", {"on": False})
    call("delete", "preference-defaults/category:marketing/*")
    call("put", "quiet-hours-rules/night", {"start": "22:00", "end": "08:00"})
    call("put", "frequency-caps/social", {"limit": 3, "period": "day", "topic": "category:social"})
    call("delete", "frequency-caps/social")
    created = call(
        "post", "segments", {"key": "swiss", "name": "Swiss", "rules": {"field": "locale", "op": "is", "value": "de"}}
    )
    assert [row[:3] for row in log()][:5] == [
        ("add", "preferences.defaultpreference", "category:marketing"),
        ("delete", "preferences.defaultpreference", "category:marketing"),
        ("add", "preferences.quiethoursrule", "night"),
        ("add", "preferences.frequencycap", "social"),
        ("delete", "preferences.frequencycap", "social"),
    ]
    assert [row[:3] for row in log()][5:] == (
        [("add", "audience.segment", "swiss")] if created.status_code == 201 else []
    )


def test_the_log_is_read_newest_first_in_pages_and_by_what_one_looks_for(acme: Tenant) -> None:
    call, other = caller(acme), caller(cast.acme("beta"), "theirs")
    for name in ("one", "two", "three"):
        call("put", f"event-types/{name}", EVENT)
    call("put", "event-types/one", EVENT | {"channels": ["sms"]})
    other("put", "event-types/four", EVENT)
    first = call("get", "audit?limit=3").json()
    assert [(row["action"], row["label"]) for row in first["data"]] == [
        ("change", "one"),
        ("add", "three"),
        ("add", "two"),
    ]
    assert first["data"][0]["changes"] == {"channels": [["email"], ["sms"]]}
    assert first["data"][0]["sentence"] == ""
    rest = call("get", f"audit?limit=3&cursor={first['next_cursor']}").json()
    assert ([row["label"] for row in rest["data"]], rest["has_more"]) == (["one"], False)
    one = first["data"][0]["object_id"]
    assert len(call("get", f"audit?object_id={ids.show(ids.EVENT_TYPE, ids.find(one))}").json()["data"]) == 2
    assert len(call("get", "audit?action=change&object_type=events.eventtype").json()["data"]) == 1
    assert call("get", "audit?actor=key theirs").json()["data"] == []
    assert [row["label"] for row in other("get", "audit").json()["data"]] == ["four"]


def test_it_refuses_to_show_the_log_to_a_key_that_is_not_an_admins(acme: Tenant) -> None:
    token = create_api_key(tenant=acme, name="x", mode=KeyMode.TEST, scopes=[Scope.OPERATOR]).token
    assert Client().get("/v1/audit", headers={"Authorization": f"Bearer {token}"}).status_code == 403


@pytest.mark.parametrize("change", ["UPDATE tenants_auditentry SET actor = 'nobody'", "DELETE FROM tenants_auditentry"])
def test_the_database_refuses_to_change_what_is_written(acme: Tenant, change: str) -> None:
    record(actor=COMMAND, tenant_id=acme.id, action="add", kind="events.eventtype", label="one")
    with pytest.raises(IntegrityError, match="an audit entry does not change"), transaction.atomic():
        connection.cursor().execute(change)
    assert AuditEntry.objects.all_tenants().get().actor == "command line"


def test_pruning_takes_what_is_older_says_so_and_leaves_the_wall_up(acme: Tenant) -> None:
    record(actor=COMMAND, tenant_id=acme.id, action="add", kind="events.eventtype", label="old")
    old = AuditEntry.objects.all_tenants().get()
    assert prune(before=old.at) == 0
    after = ids.time_of(ids.new())
    record(actor=COMMAND, tenant_id=acme.id, action="add", kind="events.eventtype", label="young")
    assert prune(before=after.replace(microsecond=999_000)) >= 1
    said = list(AuditEntry.objects.all_tenants().order_by("id").values_list("action", flat=True))
    assert said[-1] == "prune"
    assert not AuditEntry.objects.all_tenants().filter(label="old").exists()
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditEntry.objects.all_tenants().delete()


def test_the_command_keeps_a_month_at_least(acme: Tenant) -> None:
    record(actor=COMMAND, tenant_id=acme.id, action="add", kind="events.eventtype", label="young")
    with pytest.raises(CommandError, match="At least 30 days"):
        call_command("prune_audit", older_than=29)
    call_command("prune_audit", older_than=30)
    kept = AuditEntry.objects.all_tenants().order_by("id").values_list("action", "label", "said")
    assert [(action, label, said[:9]) for action, label, said in kept] == [
        ("add", "young", ""),
        ("prune", "", "0 entries"),
    ]


def test_keys_of_the_command_line_are_in_it_without_their_tokens(
    acme: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("create_api_key", "acme")
    token = capsys.readouterr().out.strip()
    prefix = token.split("_")[2]
    call_command("rotate_api_key", "acme", prefix)
    call_command("revoke_api_key", "acme", prefix)
    assert [row[:3] for row in log()] == [(verb, "tenants.apikey", prefix) for verb in ("add", "rotate", "revoke")]
    assert token.rpartition("_")[2] not in str(list(AuditEntry.objects.all_tenants().values()))
