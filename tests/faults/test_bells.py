"""Bells ring too often, two workers answer each, and routing work comes back after it was done (E28)."""

import pytest

from tests.faults.conftest import Experiment, begin_with

pytestmark = pytest.mark.faults


@begin_with("beat", "system")
def test_e28_every_bell_ten_times_and_routing_twice(experiment: Experiment, size: int) -> None:
    system, producer = experiment.system, experiment.producer
    system.keep("beat", "system")
    for name in ("critical", "critical-2", "transactional", "transactional-2", "web"):
        system.start(name, BELLS="10")
    system.await_ready()
    producer.batch([producer.body(n) for n in range(60 * size)])
    producer.stream(60 * size, per_second=60)
    experiment.settle()
    again = system.query(
        """INSERT INTO ledger_work_item (id, lane, queue, kind, channel, tenant_id, notification_id, priority, due_at,
            expires_at, ordering_key, order_at)
        SELECT id, category, 'route.' || category, 'route', '', tenant_id, id, priority, now(), expires_at, '', now()
        FROM ledger_notification WHERE object_id = %(run)s RETURNING id""",
        {"run": experiment.name},
    )
    experiment.settle()
    experiment.figures["routed_again"] = len(again)
    assert len(again) == 120 * size
    assert experiment.check().deliveries == 480 * size
