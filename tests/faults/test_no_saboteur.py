"""What misbehaves here cannot misbehave in the service: it is not there."""

from pathlib import Path

from django.conf import settings

PROJECT = Path(__file__).resolve().parents[2]


def test_the_service_knows_nothing_of_its_saboteur() -> None:
    assert [app for app in settings.INSTALLED_APPS if app.startswith("tests")] == []
    sources = [path for room in ("apps", "notifier") for path in (PROJECT / room).rglob("*.py")]
    words = ("sabotage", "tests.faults", '"MUTANT"', '"FAULT"', "failpoint", "SIGSTOP")
    assert [(path.name, word) for path in sources for word in words if word in path.read_text()] == []
    assert len(sources) > 100
