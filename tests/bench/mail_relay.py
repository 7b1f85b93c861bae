"""A mail relay in a process of its own that takes everything and keeps nothing: aiosmtpd."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from notifier.local import ports
from notifier.local.processes import wait_until
from tests.bench.world import PROJECT
from tests.simulators.base import Simulator
from tests.simulators.wire import Reply, Request

PATIENCE = 30.0


class MailRelay(Simulator):
    """What an account must have to reach it; the process speaks for itself."""

    name = "smtp"
    channel = "email"
    sender = "bench@example.com"
    settings = {"security": "none"}

    def sample_address(self, number: int) -> str:
        return f"person{number}@example.com"

    def reply(self, request: Request) -> Reply:
        raise NotImplementedError


@contextmanager
def started(directory: Path) -> Iterator[MailRelay]:
    relay, port = MailRelay(), ports.choose(None)
    relay.url = f"smtp://127.0.0.1:{port}"
    command = [sys.executable, "-m", "aiosmtpd", "-n", "-c", "aiosmtpd.handlers.Sink", "-l", f"127.0.0.1:{port}"]
    with (directory / "relay.log").open("a") as log:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log)
        try:
            if not wait_until(lambda: ports.is_listening(port), PATIENCE, 0.05):
                raise RuntimeError(f"The mail relay did not start; see {log.name}")
            yield relay
        finally:
            process.terminate()
            process.wait(10)
