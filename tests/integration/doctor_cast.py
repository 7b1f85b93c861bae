"""A sound world for the doctor, and what it says of it."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest
from django.conf import settings as project
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.channels import services as channels
from apps.core import clock
from apps.core.enums import Channel
from apps.core.redis import quick
from apps.dispatch import signs_of_life
from apps.insights import doctor
from apps.insights.checkups import carriers, servers


class Front(BaseHTTPRequestHandler):
    status: ClassVar[int] = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def world(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Sound: beat ticks, every queue has a worker, the front door answers, an account is known to its provider."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Front)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    settings.PUBLIC_URL = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(carriers, "_is_local", lambda host: False)
    monkeypatch.setitem(servers.DURABLE, "fsync", {"on", "off"})
    monkeypatch.setitem(servers.DURABLE, "synchronous_commit", {"on", "off"})
    monkeypatch.setitem(servers.DURABLE, "full_page_writes", {"on", "off"})
    every = IntervalSchedule.objects.create(every=1, period="seconds")
    PeriodicTask.objects.update_or_create(
        name="tick", defaults={"interval": every, "task": "dispatch.tick", "last_run_at": clock.now()}
    )
    signs_of_life.say(project.QUEUE_SHARES)
    channels.create_account(key="acme-mail", provider="smtp", channel=Channel.EMAIL)
    yield settings
    server.shutdown()
    server.server_close()
    Front.status = 200
    quick().delete(*(f"worker:{queue}" for queue in project.QUEUE_SHARES))


def findings(level: str = "") -> dict[str, str]:
    """What was said, by what it is about; those of a level."""
    return {one.about: one.said for one in doctor.examine(clock.now()) if not level or one.level == level}


def only(level: str) -> tuple[str, str]:
    """The one finding that is not ok."""
    ((about, said),) = {
        one.about: f"{one.said} | {one.fix}"
        for one in doctor.examine(clock.now())
        if one.level != "ok" and one.about != "webhooks"
    }.items()
    assert findings(level)[about] in said
    return about, said
