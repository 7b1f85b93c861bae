"""Says that a Celery worker takes work: it touches the file that NOTIFIER_READY_FILE names. `celery worker -I notifier.local.ready`."""

import os
from pathlib import Path

from celery.signals import worker_ready


@worker_ready.connect
def touch_ready_file(**_: object) -> None:
    if path := os.environ.get("NOTIFIER_READY_FILE"):
        Path(path).touch()
