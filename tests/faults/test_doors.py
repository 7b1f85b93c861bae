"""The front door: killed around its commit (E09), asked fifty times at once for the same thing (E27)."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.conftest import Experiment, begin_with


@pytest.mark.faults
@pytest.mark.parametrize("point", ["before_accept", "after_accept"])
@begin_with("critical", "transactional", "system", "beat")
def test_e09_kill_the_web_worker_around_its_commit(experiment: Experiment, point: str, size: int) -> None:
    """Every tenth request kills the process that serves it; callers repeat, and each key stands for one notification."""
    system, producer = experiment.system, experiment.producer
    system.start("web", FAULT=f"{point}:kill:10")
    system.await_ready()
    producer.stream(80 * size, per_second=20)
    system.wait(producer.is_done, 60)
    experiment.settle()
    experiment.figures["broken_connections"] = producer.book.statuses.get(0, 0)
    experiment.check()
    assert producer.book.statuses.get(0, 0) > 0


@pytest.mark.faults
def test_e09_kill_the_whole_web_server_at_any_time(experiment: Experiment, size: int) -> None:
    system, producer = experiment.system, experiment.producer
    producer.stream(150 * size, per_second=30)
    for _ in range(3):
        system.wait(lambda: False, 1)
        system.kill("web")
        system.revive()
        system.await_ready()
    experiment.settle()
    experiment.figures["broken_connections"] = producer.book.statuses.get(0, 0)
    experiment.check()


def test_e27_one_key_and_fifty_threads(experiment: Experiment) -> None:
    """One notification, the same id in every answer; the same key with another body is refused."""
    system, producer = experiment.system, experiment.producer
    body = producer.body(1)
    with ThreadPoolExecutor(50) as pool:
        answers = [pool.submit(producer.post, "/v1/notifications", body, "one-key") for _ in range(50)]
        shown = {answer.result()["notification_id"] for answer in answers}
    assert len(shown) == 1
    other = producer.post_once("/v1/notifications", {**body, "message": {"body": "Something else"}}, "one-key")
    assert other is not None
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    rows = system.query("SELECT count(*) FROM ledger_notification WHERE object_id = %(run)s", {"run": experiment.name})
    assert rows == [(1,)]
    experiment.settle()
    experiment.figures.update(
        slowest=round(max(producer.book.seconds), 2),
        answers={str(status): n for status, n in producer.book.statuses.items()},
    )
    assert experiment.check().deliveries == 4
