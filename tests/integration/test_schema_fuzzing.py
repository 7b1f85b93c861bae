"""The API against its own schema: whatever is sent, the answer is one that the schema names, and never a 5xx."""

from collections import Counter
from typing import Any

import hypothesis
import pytest
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from apps.core.enums import KeyMode, Scope
from apps.core.types import Tenant
from apps.dispatch import bells
from apps.dispatch.ringer import ringer
from apps.tenants.services import create_api_key
from notifier.wsgi import application
from tests.integration import ingest_cast as cast
from tests.integration.ingest_cast import Caller

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = {GenerationMode.POSITIVE: 6, GenerationMode.NEGATIVE: 4}
KNOWN = {"user_id": "rosa", "event_type": "order.shipped", "template_id": "order_shipped_v3", "recipient": None}


@pytest.fixture(scope="module")
def schema() -> Any:
    loaded = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(request=None, public=True))  # type: ignore[no-untyped-call]
    loaded.app = application
    return loaded


@pytest.fixture
def tenant(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Tenant:
    for door, name in ((bells, "ring"), (ringer, "ask")):
        monkeypatch.setattr(door, name, lambda *queues: None)
    return cast.with_content(cast.acme())


@pytest.mark.timeout(170)
def test_every_operation_answers_as_documented(schema: Any, tenant: Tenant) -> None:
    shown = Caller(tenant).send().json()["notification_id"]
    timing = {"start": "2100-01-04T09:00", "zone": "recipient", "rule": "FREQ=DAILY"}
    schedule = Caller(tenant).post(cast.SCHEDULED, {**cast.ROSA, "schedule": timing}).json()["id"]
    known = {"user_id": "rosa", "shown": shown, "key": "order_shipped_v3", "number": "1", "account": "sandbox-email"}
    known["schedule_id"] = schedule
    known["segment"] = Caller(tenant).post("/v1/segments", {"key": "guests", "name": "Guests"}).json()["key"]
    known["campaign_id"] = Caller(tenant).post("/v1/campaigns", {"name": "Spring"}).json()["id"]
    key = create_api_key(
        tenant=tenant, name="fuzz", mode=KeyMode.TEST, scopes=list(Scope), rate_per_second=10**6, rate_burst=10**6
    )
    token = Caller(tenant).post("/v1/users/rosa/inbox-tokens", {}).json()["token"]
    wrong: list[str] = []
    answers: Counter[int] = Counter()
    for found in schema.get_all_operations():
        operation = found.ok()
        headers = {"Authorization": f"Bearer {token if operation.path.startswith('/v1/inbox') else key.token}"}
        for mode, most in EXAMPLES.items():
            try:
                _fuzz(operation, mode, most, headers, known, answers)
            except (Exception, FailureGroup) as error:
                wrong.append(f"{operation.label} ({mode.value}): {error} {getattr(error, 'exceptions', '')}")
    assert not wrong, "\n\n".join(wrong)
    assert {200, 400, 404} <= answers.keys()
    assert sum(answers.values()) > 500


def _fuzz(
    operation: Any,
    mode: GenerationMode,
    most: int,
    headers: dict[str, str],
    known: dict[str, str],
    answers: Counter[int],
) -> None:
    @settings(
        max_examples=most,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode), is_known=st.booleans())
    def each(case: Any, is_known: bool) -> None:
        if is_known:
            case.path_parameters = {
                name: known.get(name, value) for name, value in (case.path_parameters or {}).items()
            }
            if isinstance(case.body, dict):
                case.body = {name: KNOWN.get(name, value) for name, value in case.body.items()}
        response = case.call(headers=headers)
        answers[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    each()
