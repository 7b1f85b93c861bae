"""/v1/campaigns: written, launched, watched and stopped by a program."""

from typing import Any

import pytest

from apps.campaigns.models import Campaign, Policy, Run, Variant
from apps.core import ids
from apps.core.enums import KeyMode, Scope
from apps.core.types import Tenant
from apps.tenants.models import AuditEntry
from tests.integration import campaign_agreements_cast as cast
from tests.integration import campaign_runs_cast as runs
from tests.integration import templates_cast
from tests.integration.ingest_cast import Caller

pytestmark = pytest.mark.django_db
CAMPAIGNS = "/v1/campaigns"
SPRING = {
    "name": "Spring",
    "channels": ["email"],
    "category": "social",
    "audience": {"include": {"everyone": True}},
    "variants": [{"name": "A", "template_key": "spring"}],
}


@pytest.fixture
def tenant() -> Tenant:
    tenant = runs.acme()
    runs.people(tenant, 3)
    return tenant


@pytest.fixture
def caller(tenant: Tenant) -> Caller:
    return Caller(tenant)


def made(caller: Caller, **more: Any) -> Any:
    answer = caller.post(CAMPAIGNS, {**SPRING, **more})
    assert answer.status_code == 201, answer.content
    return answer.json()


def one(shown: Any, deed: str = "") -> str:
    return f"{CAMPAIGNS}/{shown['id']}" + (f"/{deed}" if deed else "")


def patch(caller: Caller, shown: Any, **body: Any) -> Any:
    return caller.client.patch(one(shown), body, content_type="application/json", headers=caller.headers)


def get(caller: Caller, where: str) -> Any:
    return caller.client.get(where, headers=caller.headers)


def refused(answer: Any, status: int, code: str) -> str:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    return str(answer.json()["detail"])


def test_it_makes_reads_changes_and_deletes_a_draft(caller: Caller) -> None:
    shown = made(caller, throttle=60)
    assert (shown["status"], shown["mode"], shown["version"], shown["throttle"]) == ("draft", "test", 1, 60)
    assert shown["created_by"] == "key shop"
    assert shown["variants"] == [{"name": "A", "template_key": "spring", "weight": 1}]
    changed = patch(caller, shown, version=1, throttle=0, expires_after_minutes=90).json()
    assert (changed["version"], changed["throttle"], changed["expires_after_minutes"]) == (2, 0, 90)
    refused(patch(caller, shown, version=1, throttle=5), 409, "stale_version")
    assert get(caller, one(shown)).json() == changed
    assert [row["id"] for row in get(caller, f"{CAMPAIGNS}?status=draft").json()["data"]] == [shown["id"]]
    assert caller.client.delete(one(shown), headers=caller.headers).status_code == 204
    assert not Campaign.objects.all_tenants().exists()
    assert not Variant.objects.all_tenants().exists()
    actions = AuditEntry.objects.of(caller.tenant).order_by("id").values_list("action", flat=True)
    assert list(actions) == ["add", "change", "delete"]


def test_the_same_request_again_makes_nothing_new(caller: Caller) -> None:
    first = caller.post(CAMPAIGNS, SPRING, key="k-1")
    again = caller.post(CAMPAIGNS, SPRING, key="k-1")
    assert (again.json(), again["Idempotent-Replayed"]) == (first.json(), "true")
    refused(caller.post(CAMPAIGNS, {**SPRING, "throttle": 1}, key="k-1"), 422, "idempotency_key_reused")
    assert Campaign.objects.all_tenants().count() == 1


def test_it_launches_without_counting_anybody_and_tells_what_became_of_it(caller: Caller) -> None:
    cast.policy(caller.tenant, approval_above_people=1)
    shown = made(caller)
    launched = caller.post(one(shown, "launch"), {})
    assert launched.json()["status"] == "scheduled", launched.content
    assert get(caller, one(shown, "stats")).json()["run"] is None
    runs.begin()
    runs.expand()
    found = get(caller, one(shown, "runs")).json()["data"]
    assert [(run["number"], run["people"], run["decided"], run["messages"]) for run in found] == [(1, 3, 3, 3)]
    assert get(caller, one(shown, "stats")).json()["run"] == found[0]
    assert get(caller, one(shown, "cost")).json()["total"]["high"] == 0


def test_it_pauses_resumes_slows_down_and_cancels(caller: Caller) -> None:
    shown = made(caller)
    refused(caller.post(one(shown, "pause"), {}), 409, "campaign_state")
    caller.post(one(shown, "launch"), {})
    runs.begin()
    runs.expand(2, most=1)
    assert caller.post(one(shown, "throttle"), {"per_minute": 90}).status_code == 200
    assert Run.objects.all_tenants().get().throttle == 90
    halted = caller.post(one(shown, "pause"), {}).json()
    assert halted == {"status": "paused", "in_flight": 0, "taken": 0, "waiting": 2}
    paused = get(caller, one(shown, "runs")).json()["data"][0]
    assert (paused["status"], paused["pause_reason"], paused["paused_by"]) == ("paused", "by_hand", "key shop")
    assert caller.post(one(shown, "resume"), {}).json()["status"] == "running"
    assert caller.post(one(shown, "cancel"), {}).json()["status"] == "cancelled"
    refused(caller.post(one(shown, "launch"), {}), 409, "campaign_state")


def test_what_is_lacking_is_named(caller: Caller) -> None:
    shown = made(caller, audience=None, variants=[{"name": "A"}])
    answer = caller.post(one(shown, "launch"), {})
    assert refused(answer, 409, "campaign_not_ready") == "Nobody was chosen yet. Variant A has no content."
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/audience", "/content"]
    assert Campaign.objects.all_tenants().get().status == "draft"


def test_no_key_approves_but_a_policy_may_ask_keys_for_it(caller: Caller) -> None:
    cast.policy(caller.tenant, approval_above_people=1, approval_for_keys=True)
    shown = made(caller)
    refused(caller.post(one(shown, "launch"), {}), 409, "approval_needed")
    assert caller.post(one(shown, "submit"), {"note": "Please."}).json()["status"] == "in_review"
    said = refused(caller.post(one(shown, "approve"), {}), 403, "forbidden")
    assert f"/admin/campaigns/campaign/{ids.read(ids.CAMPAIGN, shown['id'])}/change/" in said
    assert Campaign.objects.all_tenants().get().status == "in_review"


def test_it_is_checked_before_the_launch(caller: Caller) -> None:
    cast.policy(caller.tenant, approval_above_people=2)
    shown = made(caller, throttle=1, expires_after_minutes=2, category="marketing")
    found = get(caller, one(shown, "check")).json()
    assert (found["people"], found["is_exact"], found["cost"]["text"]) == (3, True, "0.00 EUR")
    assert found["approval_text"] == "It is for 3 people; above 2 somebody else has to approve it."
    assert found["finish_text"].startswith("About 3 min from the first message to the last; the throttle of 1 people")
    codes = {finding["code"]: finding["severity"] for finding in found["findings"]}
    assert codes["expires_too_soon"] == "warning"
    assert codes["test_mode"] == "info"
    assert "error" not in codes.values()


def test_a_key_has_no_say_in_campaigns_of_another_mode(tenant: Tenant, caller: Caller) -> None:
    shown = made(caller)
    live = Caller(tenant, mode=KeyMode.LIVE)
    assert get(live, one(shown)).status_code == 200
    for deed in ("launch", "pause", "resume", "cancel", "submit"):
        refused(live.post(one(shown, deed), {}), 403, "forbidden")
    refused(patch(live, shown, version=1, throttle=5), 403, "forbidden")
    refused(caller.post(CAMPAIGNS, {**SPRING, "mode": "live"}), 400, "contradiction")
    assert Campaign.objects.all_tenants().get().throttle == 0


def test_other_tenants_campaigns_do_not_exist(caller: Caller) -> None:
    shown = made(caller)
    beta = Caller(templates_cast.tenant("beta"))
    for deed in ("", "stats", "runs", "check", "cost"):
        assert get(beta, one(shown, deed)).status_code == 404
    for deed in ("launch", "pause", "resume", "cancel", "submit", "approve"):
        assert beta.post(one(shown, deed), {}).status_code == 404
    assert patch(beta, shown, version=1, throttle=5).status_code == 404
    assert beta.client.delete(one(shown), headers=beta.headers).status_code == 404
    assert get(beta, CAMPAIGNS).json()["data"] == []
    assert Campaign.objects.all_tenants().get().throttle == 0


@pytest.mark.parametrize("scope", [Scope.CAMPAIGNS_READ, Scope.CAMPAIGNS_WRITE, Scope.NOTIFICATIONS_WRITE])
def test_only_a_key_that_may_launch_launches(tenant: Tenant, caller: Caller, scope: Scope) -> None:
    shown = made(caller)
    few = Caller(tenant, scope)
    refused(few.post(one(shown, "launch"), {}), 403, "forbidden")
    assert Campaign.objects.all_tenants().get().status == "draft"


def test_costs_are_of_a_span_or_of_one_message(caller: Caller) -> None:
    assert get(caller, "/v1/costs").json()["lines"] == []
    assert (
        get(caller, f"/v1/costs?notification_id={ids.show(ids.NOTIFICATION, ids.new())}").json()["total"]["high"] == 0
    )
    refused(get(caller, "/v1/costs?notification_id=x"), 404, "not_found")
    refused(get(caller, "/v1/costs?from=2027-01-01"), 400, "out_of_range")
    refused(get(caller, "/v1/costs?from=2025-01-01T00:00:00Z&to=2026-01-01T00:00:00Z"), 400, "out_of_range")


def test_the_policy_stays_what_it_was(caller: Caller) -> None:
    """Asking never makes one."""
    get(caller, one(made(caller), "check"))
    assert not Policy.objects.all_tenants().exists()
