"""`make run` with small programs in the place of the service's processes: what it says, and that nothing outlives it."""

import json
import os
import signal
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
from notifier.local.processes import is_alive, wait_until
from notifier.local.servers import Servers

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
    import os, sys
    from pathlib import Path
    from notifier.local.children import Child, Ports
    from notifier.local.console import console_for
    from notifier.local.up import Plan, Runner

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
        Thread(target=self._read, daemon=True).start()

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
        time.sleep(0.1)
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


def test_once_tells_the_story_and_ends_well(start: Starter, project: Path) -> None:
    run = start(NOTIFIER_ONCE="1")
    assert run.ends(40) == 0
    said = "\n".join(run.lines)
    assert "  202 after " in said
    for channel, user in (("push", "rider"), ("email", "rider"), ("in_app", "rider"), ("sms", "contact")):
        assert f"    +120 ms  {f'u_{user}':<10} {channel:<7} delivered  Told." in said
    assert "user admin, password pw" in said
    assert "-H 'Authorization: Bearer ntf_test_x'" in said
    assert run.lines[-1].endswith("| Stopped")
    assert "\x1b[" not in said
    assert (project / ".local" / "env").stat().st_mode & 0o777 == 0o600
    assert (project / ".local" / "running.env").stat().st_mode & 0o777 == 0o600
    assert (project / ".local" / "demo.json").stat().st_mode & 0o777 == 0o600


def test_once_says_which_delivery_is_missing_and_fails(start: Starter) -> None:
    run = start(status="failed", NOTIFIER_ONCE="1")
    assert run.ends(40) == 1
    assert "notifier     | sms to u_contact is failed (It is a test.); the last entry: Told." in run.lines


def test_once_gives_up_on_a_process_that_cannot_start(start: Starter) -> None:
    run = start(extra="echo 'ERROR: no such thing'; exit 3", NOTIFIER_ONCE="1")
    assert run.ends(40) == 1
    assert "notifier     | extra ended with status 3; starting it again in 0.5 s. Its last lines:" in run.lines
    assert "notifier     |   ERROR: no such thing" in run.lines
    assert "notifier     | Does not start: extra" in run.lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_everything(start: Starter, number: signal.Signals) -> None:
    run = start()
    run.says("Serving; Ctrl-C stops everything")
    family = run.family()
    assert len(family) > 5
    began = time.monotonic()
    run.process.send_signal(number)
    assert run.ends() == 0
    assert time.monotonic() - began < 8
    assert [process for process in family if is_alive(process)] == []
    assert f"notifier     | {number.name}: stopping" in run.lines


def test_a_signal_during_the_start_ends_everything(start: Starter) -> None:
    run = start(extra="sleep 1000")
    run.says("Redis is ready")
    run.process.send_signal(signal.SIGTERM)
    assert run.ends() == 0


def test_a_process_that_ignores_the_signal_is_killed_with_its_group(start: Starter) -> None:
    run = start(extra="trap '' TERM; sleep 1000 & sleep 1000")
    run.says("Serving; Ctrl-C stops everything")
    run.process.send_signal(signal.SIGTERM)
    run.says("Killing extra: still running after 3 s", within=12)
    assert run.ends() == 0


def test_a_second_signal_means_at_once(start: Starter) -> None:
    run = start(extra="trap '' TERM; sleep 1000 & sleep 1000")
    run.says("Serving; Ctrl-C stops everything")
    began = time.monotonic()
    run.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    run.process.send_signal(signal.SIGTERM)
    assert run.ends() == 0
    assert time.monotonic() - began < 3


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ties children to their parent only on Linux")
def test_when_the_runner_is_killed_nothing_is_left_and_the_next_start_works(start: Starter) -> None:
    run = start()
    run.says("Serving; Ctrl-C stops everything")
    family = run.family()
    run.kill()
    assert wait_until(lambda: not any(is_alive(one) for one in family), seconds=5)
    again = start(NOTIFIER_ONCE="1")
    assert again.ends(40) == 0


def test_what_a_killed_run_could_not_take_along_is_ended_by_the_next_start(start: Starter) -> None:
    run = start(extra="sleep 1000 & sleep 1000")
    run.says("Serving; Ctrl-C stops everything")
    grandchildren = [
        process for process in run.family() if process.name() == "sleep" and process.ppid() != run.process.pid
    ]
    assert len(grandchildren) == 2
    run.kill()
    again = start(NOTIFIER_ONCE="1")
    again.says("Ended 2 processes that an earlier run had left")
    assert again.ends(40) == 0
    assert [process for process in grandchildren if is_alive(process)] == []


def test_a_second_runner_is_refused(start: Starter) -> None:
    first = start()
    first.says("Serving; Ctrl-C stops everything")
    second = start()
    assert second.ends() == 1
    assert f"in use by process {first.process.pid}. Stop it first." in "\n".join(second.lines)
    first.process.terminate()
    assert first.ends() == 0


def test_a_dead_child_and_a_dead_server_are_started_again(start: Starter, project: Path) -> None:
    run = start()
    run.says("Serving; Ctrl-C stops everything")
    web, postgres = (
        next(p for p in run.family() if word in p.cmdline()) for word in (str(project / "service.py"), "-D")
    )
    web.kill()
    run.says("web ended with SIGKILL; starting it again in 0.5 s. Its last lines:")
    run.says("web is ready")
    postgres.kill()
    run.says("Postgres has ended; starting it again")
    time.sleep(1)
    assert len([p for p in run.family() if "-D" in p.cmdline()]) == 1
    run.process.terminate()
    assert run.ends() == 0


def test_a_taken_port_is_said_and_another_one_used(start: Starter) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        run = start(usual=taken, NOTIFIER_ONCE="1")
        said = run.says(f"Port {taken} is taken: web listens on ")
        assert run.ends(40) == 0
    port = said.rsplit(" ", 1)[1]
    assert (
        f"  API reference     http://127.0.0.1:{port}/docs    try it out: http://127.0.0.1:{port}/docs/try" in run.lines
    )


def test_given_addresses_are_used_and_no_server_is_started(start: Starter, project: Path, tmp_path: Path) -> None:
    with Servers.start(tmp_path, durable=False) as servers:
        run = start(DATABASE_URL=servers.database_url, REDIS_URL=servers.redis_url)
        run.says("Serving; Ctrl-C stops everything")
        assert [process for process in run.family() if process.name() in {"postgres", "redis-server"}] == []
        environment = (project / ".local" / "running.env").read_text().splitlines()
        assert f"DATABASE_URL={servers.database_url}" in environment
        assert f"REDIS_URL={servers.redis_url}" in environment
        run.process.terminate()
        assert run.ends() == 0


def test_the_campaigns_are_seeded_when_everything_serves(start: Starter, project: Path) -> None:
    (project / "seed.sh").write_text(f'test "$1" = "{project}/.local/demo.json" && echo made; exit 3')
    run = start()
    run.says("Serving; Ctrl-C stops everything")
    run.says("made")
    run.says("The demo's campaigns could not be made; see the lines above.")
    run.process.terminate()
    assert run.ends() == 0


def test_a_run_that_ends_after_the_story_seeds_no_campaigns(start: Starter, project: Path) -> None:
    (project / "seed.sh").write_text("touch seeded")
    assert start(NOTIFIER_ONCE="1").ends(40) == 0
    assert not (PROJECT / "seeded").exists() and not (project / "seeded").exists()


def test_secrets_stay_from_run_to_run(start: Starter, project: Path) -> None:
    assert start(NOTIFIER_ONCE="1").ends(40) == 0
    before = (project / ".local" / "env").read_text()
    assert start(NOTIFIER_ONCE="1").ends(40) == 0
    assert (project / ".local" / "env").read_text() == before
