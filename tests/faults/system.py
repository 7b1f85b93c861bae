"""The whole service as child processes of a test, any of which may be killed, frozen and started again."""

import json
import os
import secrets
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import redis
import requests

from notifier.local import ports
from notifier.local.children import worker_arguments
from notifier.local.processes import kill_family, spawn, wait_until
from notifier.local.servers import Servers
from notifier.pools import POOLS, Pool

PROJECT = Path(__file__).resolve().parents[2]
LEASE, DEADLINE = 3, 2
# the only address of this machine to which webhooks may be sent
OPEN = "127.0.0.2"
CORE = ("web", "critical", "transactional", "system", "beat")
_POOLS = {pool.name: pool for pool in POOLS}


@dataclass
class Process:
    name: str
    command: tuple[str, ...]
    health_url: str = ""
    ready_file: Path | None = None
    extra: dict[str, str] = field(default_factory=dict)
    popen: subprocess.Popen[bytes] | None = None
    deaths: int = 0

    def is_running(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    @property
    def pid(self) -> int:
        assert self.popen is not None
        return self.popen.pid


class System:
    """`keep(...)` names what is to run; `wait` looks after it, reviving what died, as a supervisor would.

    `neighbours`: how to make the processes of the outside world, by name; they run until they are ended by name."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.record = directory / "record.jsonl"
        self.servers = Servers.start(directory / "servers", durable=False)
        self._ports = {name: ports.choose(None) for name in ("web", "sandbox")}
        self.url = f"http://127.0.0.1:{self._ports['web']}"
        self.sandbox_url = f"http://127.0.0.1:{self._ports['sandbox']}"
        self._env = self._environment()
        self._receipts: tuple[str, ...] = ("--no-receipts",)
        self.processes: dict[str, Process] = {}
        self.neighbours: dict[str, Callable[[], Process]] = {}
        (directory / "log").mkdir()
        self._prepare()
        self.token: str = json.loads((directory / "demo.json").read_text())["test_key"]
        self._start(self._make("sandbox"))
        self.keep(*CORE)

    def _environment(self) -> dict[str, str]:
        key = b64encode(secrets.token_bytes(32)).decode()
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith(("NOTIFIER_", "CELERY_", "DJANGO_", "REDIS_"))},
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
            "DATABASE_URL": self.servers.database_url,
            "REDIS_URL": self.servers.redis_url,
            "CELERY_BROKER_URL": self.servers.redis_url,
            "NOTIFIER_SECRET_KEY": secrets.token_urlsafe(48),
            "NOTIFIER_ENCRYPTION_KEYS": f"k1:{key}",
            "NOTIFIER_HASH_KEYS": f"h1:{key}",
            "NOTIFIER_SANDBOX_SECRET": secrets.token_urlsafe(32),
            "NOTIFIER_SANDBOX_URL": self.sandbox_url,
            "NOTIFIER_SANDBOX_STORE": str(self.directory / "sandbox.sqlite3"),
            "NOTIFIER_STATIC_ROOT": str(self.directory),
            "NOTIFIER_PUBLIC_URL": self.url,
            "NOTIFIER_LEASE_SECONDS": str(LEASE),
            "NOTIFIER_WEBHOOK_ALLOWED_NETWORKS": f"{OPEN}/32",
            "NOTIFIER_LOG_JSON": "1",
            "DEADLINE": str(DEADLINE),
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "ignore",
        }

    def _prepare(self) -> None:
        for arguments in (["migrate", "-v0"], ["seed_demo", "--out", str(self.directory / "demo.json")]):
            command = [sys.executable, "manage.py", *arguments]
            subprocess.run(command, cwd=PROJECT, env=self._env, check=True, capture_output=True)

    def _make(self, name: str) -> Process:
        """`name`: a pool's, or with a suffix (critical-2) one more of them; or a neighbour's."""
        if name in self.neighbours:
            return self.neighbours[name]()
        kind = name.partition("-")[0]
        port = self._ports.get(kind)
        match kind:
            case "web":
                command = (
                    "-m", "gunicorn", "notifier.wsgi:application", "--worker-class", "gthread", "--workers", "2",
                    "--threads", "8", "--bind", f"127.0.0.1:{port}", "--preload", "--no-control-socket",
                    "--log-level", "warning",
                )  # fmt: skip
                return Process(name, (sys.executable, *command), health_url=f"{self.url}/healthz")
            case "sandbox":
                options = ("--bind", f"127.0.0.1:{port}", "--record", str(self.record), *self._receipts)
                command = ("manage.py", "run_sandbox", *options)
                return Process(name, (sys.executable, *command), health_url=f"{self.sandbox_url}/healthz")
            case "beat":
                command = (
                    "-m", "celery", "-q", "-A", "notifier", "beat",
                    "--schedule", str(self.directory / name), "--pidfile", "", "--loglevel", "WARNING",
                )  # fmt: skip
                return Process(name, (sys.executable, *command))
        pool = _POOLS[kind]
        pool = Pool(name, pool.queues, pool.pool, pool.concurrency, pool.share, 0)
        command = ("-m", "celery", "-q", "-A", "notifier", *worker_arguments(pool))
        return Process(name, (sys.executable, *command), ready_file=self.directory / f"{name}.ready")

    def _start(self, process: Process) -> Process:
        if process.ready_file:
            process.ready_file.unlink(missing_ok=True)
        env = {**self._env, **process.extra, "NOTIFIER_READY_FILE": str(process.ready_file or "")}
        with (self.directory / "log" / f"{process.name}.log").open("ab") as output:
            niceness = int(process.extra.get("NICE", "0"))
            process.popen = spawn(process.command, env=env, cwd=PROJECT, output=output, niceness=niceness)
        self.processes[process.name] = process
        return process

    def start(self, name: str, **extra: str) -> Process:
        """Starts it anew, with these words for sabotage.py, which do not survive its death."""
        self.end(name)
        process = self._make(name)
        process.extra = extra
        return self._start(process)

    def mutate(self, mutant: str) -> None:
        """Every process that starts from now on runs with this word for sabotage.py; those that run now end."""
        self._env["MUTANT"] = mutant
        for name in set(self.processes) - {"sandbox", *self.neighbours}:
            self.end(name)

    def keep(self, *names: str) -> None:
        """Exactly these run from now on (and the sandbox), unsabotaged; returns when all are ready."""
        wanted = {*names, "sandbox", *self.neighbours}
        for name in set(self.processes) - wanted:
            self.end(name)
        for name in sorted(wanted):
            process = self.processes.get(name)
            if process is None or not process.is_running() or process.extra:
                self.start(name)
        self.await_ready()
        if not all(self.processes[name].is_running() for name in wanted):
            self.revive()  # its port may have been somebody's own end of a connection at that moment
            self.await_ready()
        for name in wanted:
            assert self.processes[name].is_running(), f"{name} does not start: {self.log(name)}"

    def await_ready(self) -> None:
        for process in list(self.processes.values()):
            assert wait_until(lambda p=process: self._is_ready(p), 60, 0.05), (
                f"{process.name}: {self.log(process.name)}"
            )

    def _is_ready(self, process: Process) -> bool:
        if not process.is_running():
            return True
        if process.ready_file:
            return process.ready_file.exists()
        if process.health_url:
            with suppress(requests.RequestException):
                return requests.get(process.health_url, timeout=2).status_code == 200
            return False
        return True

    def revive(self) -> None:
        for process in list(self.processes.values()):
            if not process.is_running():
                deaths = process.deaths + 1
                self._start(
                    Process(process.name, process.command, process.health_url, process.ready_file)
                ).deaths = deaths

    def wait(self, until: Callable[[], bool], seconds: float, *, reviving: bool = True) -> bool:
        def ready() -> bool:
            if reviving:
                self.revive()
            return until()

        return wait_until(ready, seconds, 0.1)

    def await_death(self, name: str, seconds: float = 40) -> None:
        process = self.processes[name]
        assert wait_until(lambda: not process.is_running(), seconds, 0.02), f"{name} lives: {self.log(name)}"

    def kill(self, name: str) -> None:
        """kill -9 of the process and all of its children; revive() brings it back."""
        process = self.processes[name]
        kill_family(process.pid)
        assert process.popen is not None
        process.popen.wait()

    def end(self, name: str) -> None:
        if process := self.processes.pop(name, None):
            if process.is_running():
                kill_family(process.pid)
            assert process.popen is not None
            process.popen.wait()

    def signal(self, name: str, number: signal.Signals) -> None:
        os.kill(self.processes[name].pid, number)

    def log(self, name: str) -> str:
        return (self.directory / "log" / f"{name}.log").read_text(errors="replace")[-3000:]

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.servers.database_url, autocommit=True, connect_timeout=30) as connection:
            cursor = connection.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def redis(self) -> "redis.Redis":
        return redis.Redis.from_url(self.servers.redis_url)

    def run(self, module: str, given: str) -> str:
        """What a module of the tests prints that is run with the service's settings and this standard input."""
        command = [sys.executable, "-m", module]
        ran = subprocess.run(
            command, cwd=PROJECT, env=self._env, input=given, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def faults(self, **words: str) -> None:
        """What the provider does with each channel's messages (sandbox PUT /faults)."""
        secret = {"Authorization": f"Bearer {self._env['NOTIFIER_SANDBOX_SECRET']}"}
        requests.put(f"{self.sandbox_url}/faults", json=words, headers=secret, timeout=5).raise_for_status()

    def receipts(self, after: float | None) -> None:
        """From now on the provider reports what became of messages, that many seconds after it took them."""
        self._receipts = ("--no-receipts",) if after is None else ("--receipts-after", str(after))
        self.start("sandbox")
        self.await_ready()

    def stop(self) -> None:
        for name in list(self.processes):
            self.end(name)
        self.servers.stop()
