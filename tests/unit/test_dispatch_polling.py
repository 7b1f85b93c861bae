"""What a poll looks at, queue by queue."""

import pytest

from apps.dispatch import bells, polling


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    monkeypatch.setattr(polling, "drain", lambda queue: seen.append(f"drain {queue}"))
    monkeypatch.setattr(polling, "rescue", lambda: seen.append("rescue"))
    monkeypatch.setattr(polling, "close_old_connections", lambda: None)
    task = bells.TASKS["receipts"]
    monkeypatch.setitem(polling.current_app.tasks, task, lambda queue: seen.append(f"{task} {queue}"))
    return seen


def test_each_queue_gets_the_work_that_its_bell_would_start(looked: list[str]) -> None:
    for queue in ("send.social.sms", "receipts", polling.RESCUE):
        polling._poll(queue)
    assert looked == ["drain send.social.sms", "receipts.apply receipts", "rescue"]


def test_a_failing_poll_does_not_end_the_thread(monkeypatch: pytest.MonkeyPatch, looked: list[str]) -> None:
    def broken() -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(polling, "rescue", broken)
    polling._poll(polling.RESCUE)
    polling._poll("send.social.sms")
    assert looked == ["drain send.social.sms"]
