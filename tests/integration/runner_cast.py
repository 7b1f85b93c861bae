"""The local runner in a process of its own, with small programs in the place of the service's processes."""

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import psutil
import pytest

from notifier.local import places
from notifier.local.processes import is_alive

PROJECT = Path(__file__).resolve().parents[2]
Starter = Callable[..., "Run"]
DEMO = {
    "tenant": "demo",
    "test_key": "ntf_test_x",
    "admin_user": "admin",
    "admin_password": "pw",
    "rider": "u_rider",
    "contact": "u_contact",
}
SERVICE = textwrap.dedent(
    '''
    """python service.py PORT STATUS: a service whose deliveries have that status at once."""
    import json, sys
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    port, status = int(sys.argv[1]), sys.argv[2]

    class Handler(BaseHTTPRequestHandler):
        def answer(self, code, body):
            raw = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_):
            pass

        def do_GET(self):
            channels = ["push", "email", "in_app"] if self.path.endswith("u_rider") else ["sms"]
            entry = {"at": "2026-01-01T00:00:00Z", "kind": "accepted", "channel": None, "text": "Accepted."}
            self.answer(200, {
                "channels": [{"channel": c, "status": status, "reason_text": "It is a test."} for c in channels],
                "entries": [entry, *({**entry, "kind": status, "channel": c, "text": "Told.",
                                      "at": "2026-01-01T00:00:00.120Z"} for c in channels)],
            })

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path.endswith(("/inbox-tokens", "/preference-links")):
                return self.answer(201, {"token": "tok", "url": f"http://127.0.0.1:{port}/preferences/tok/"})
            url = f"http://127.0.0.1:{port}/timeline/"
            self.answer(202, {"notifications": [
                {"user_id": r["user_id"], "timeline_url": url + r["user_id"]} for r in body["recipients"]
            ]})

    print("serving", flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
    '''
)
RUN = textwrap.dedent(
    """
    import os, signal, sys
    from pathlib import Path
    from notifier.local.children import Child, Ports
    from notifier.local.console import console_for
    from notifier.local.up import Plan, Runner

    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where the tests are run with nohup
    project, status, usual, extra = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]

    def table(ports, scratch):
        service = (sys.executable, str(project / "service.py"))
        healthy = {"health_url": f"http://127.0.0.1:{ports.web}/healthz"}
        touching = 'touch "$NOTIFIER_READY_FILE"; exec sleep 1000'
        rows = [
            Child("web", (*service, str(ports.web), status), early=True, **healthy),
            Child("worker", ("/bin/sh", "-c", touching), ready_file=scratch / "worker.ready", niceness=5),
        ]
        if extra:
            rows.append(Child("extra", ("/bin/sh", "-c", extra)))
        return tuple(rows)

    plan = Plan(
        project, table=table, prepare=("/bin/sh", "-c", f'cp "{project}/demo.json" "$0"'),
        seed=("/bin/sh", str(project / "seed.sh")),
        usual_ports=Ports(usual, usual + 1, usual + 2), patience=3.0,
    )
    sys.exit(Runner(plan, os.environ, console_for(sys.stdout, os.environ)).run())
    """
)


class Run:
    """A runner in a process of its own. `says` waits for a line; `family` is every process that belongs to it."""

    def __init__(
        self, project: Path, *, status: str = "delivered", usual: int = 0, extra: str = "", **env: str
    ) -> None:
        self.project = project
        self.lines: list[str] = []
        self._queue: Queue[str] = Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(project), status, str(usual or free_ports()), extra],
            cwd=PROJECT,
            env={**clean_environment(), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self._queue.put(line.rstrip())

    def says(self, words: str, within: float = 30) -> str:
        """The next line that contains the words."""
        end = time.monotonic() + within
        with suppress(Empty):
            while True:
                line = self._queue.get(timeout=max(0.0, end - time.monotonic()))
                self.lines.append(line)
                if words in line:
                    return line
        raise AssertionError(f"{words!r} was not said:\n" + "\n".join(self.lines))

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def ends(self, within: float = 20) -> int:
        status = self.process.wait(within)
        self._reader.join(1)
        with suppress(Empty):
            while True:
                self.lines.append(self._queue.get_nowait())
        return status

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def clean_environment() -> dict[str, str]:
    """Without what the test suite itself set for the service."""
    ours = ("NOTIFIER_", "DATABASE_URL", "REDIS_URL", "CELERY_", "DJANGO_", "MAKE")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def free_ports() -> int:
    """The first of three free ports in a row."""
    while True:
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            first: int = probe.getsockname()[1]
        if first < 65000:
            return first


def belonging_to(project: Path) -> list[psutil.Process]:
    """Processes that were started for the project: by their mark, their data directory, or their working directory."""
    local = project / ".local"
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            marked = process.environ().get("NOTIFIER_LOCAL_RUN") == str(local)
            data = (str(local / "postgres" / "data"), str(places.home_outside(local) / "data"))
            serves = any(part in data for part in process.cmdline())
            if is_alive(process) and (marked or serves or process.cwd() == str(local / "redis")):
                found.append(process)
    return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("project")
    (path / "requirements.txt").write_text("")
    (path / "service.py").write_text(SERVICE)
    (path / "demo.json").write_text(json.dumps(DEMO))
    (path / "seed.sh").write_text("")
    yield path
    places.forget_outside(path / ".local")


@pytest.fixture
def start(project: Path) -> Iterator[Starter]:
    """Starts runners; afterwards none may have left a process."""
    runs: list[Run] = []

    def make(**how: Any) -> Run:
        runs.append(Run(project, **how))
        return runs[-1]

    yield make
    left = belonging_to(project)
    for run in runs:
        run.kill()
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    assert left == []
