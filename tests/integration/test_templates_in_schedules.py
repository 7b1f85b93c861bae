"""Who publishes a version hears of schedules that will send it, and of what it would break of theirs."""

from typing import Any

import pytest

from apps.schedules.models import Schedule
from apps.templates import gate, usage
from apps.templates.checking import Lack
from tests.integration.ingest_cast import SCHEDULED, Caller, acme, with_content
from tests.integration.schedules_cast import row_of
from tests.integration.templates_cast import draft, sms

pytestmark = pytest.mark.django_db
KEY = "order_shipped_v3"


def scheduled(caller: Caller, **said: Any) -> Any:
    timing = {"start": "2099-01-04T09:00", "zone": "UTC", "rule": "FREQ=DAILY"}
    answer = caller.post(SCHEDULED, {"user_id": "rosa", "schedule": timing, **said})
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_schedules_are_told_of_and_tried_with_their_own_data() -> None:
    tenant = with_content(acme())
    caller = Caller(tenant)
    by_event = scheduled(caller, event_type="order.shipped", data={"order_id": "A-7"})
    by_template = scheduled(caller, category="social", template_id=KEY, data={"order_id": "A-8", "total": 9})
    scheduled(caller, category="social", message={"body": "Otto likes your photo."})
    over = scheduled(caller, event_type="order.shipped", data={"order_id": "A-9"})
    Schedule.objects.filter(id=row_of(over).id).update(status="cancelled")
    uses = [use for use in usage.usage_of(tenant=tenant, key=KEY) if use.kind == "schedule"]
    assert [(use.name, use.detail) for use in uses] == [
        (by_event["id"], "next at 04 Jan 2099 09:00 UTC"),
        (by_template["id"], "next at 04 Jan 2099 09:00 UTC"),
    ]
    assert uses[0].url.endswith(f"/{row_of(by_event).id}/change/")
    draft(tenant, KEY, sms("Order {{ data.order_id }}: {{ data.total }}"), sample={"order_id": "A", "total": 1})
    check = gate.check(tenant=tenant, key=KEY)
    assert (check.payloads, check.has_breaks) == (2, True)
    assert check.lacks == (Lack("data.total", (f"schedule {by_event['id']}",)),)
    assert check.results[0].examples[-1].what.endswith(" to come")
    draft(tenant, KEY, sms("Order {{ data.order_id }}: {{ data.total | default: 0 }}"), sample={"order_id": "A"})
    assert gate.check(tenant=tenant, key=KEY).has_breaks is False


def test_another_tenants_schedules_are_not_told_of() -> None:
    scheduled(Caller(with_content(acme())), event_type="order.shipped", data={"order_id": "A-7"})
    globex = with_content(acme("globex"))
    assert [use.kind for use in usage.usage_of(tenant=globex, key=KEY)] == ["event_type"]
    draft(globex, KEY, sms("x"))
    assert gate.check(tenant=globex, key=KEY).payloads == 0
