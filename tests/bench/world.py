"""The whole service in a directory of its own, as `make run` starts it, for as long as a measurement takes."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from notifier.local import keys, ports
from notifier.local.children import Child, Ports, process_table
from notifier.local.console import Console
from notifier.local.environment import child_environment
from notifier.local.servers import Servers
from notifier.local.supervisor import Supervisor

PROJECT = Path(__file__).resolve().parents[2]
_OWN = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL")


@dataclass
class World:
    """`record`: the sandbox's file with a line for each message. `pids`: the leader of each process's family, by name."""

    directory: Path
    ports: Ports
    env: dict[str, str]
    servers: Servers
    record: Path
    pids: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def running(self, *children: Child) -> Iterator[None]:
        """Starts the processes, waits until they are ready, stops them in the end."""
        with (self.directory / "processes.log").open("a") as log:
            supervisor = Supervisor(children, env=self.env, cwd=PROJECT, console=Console(log, False))
            try:
                supervisor.start()
                ends = time.monotonic() + 60
                while supervisor.waiting_for():
                    supervisor.tick()
                    if time.monotonic() > ends or supervisor.broken():
                        raise RuntimeError(f"Not ready: {supervisor.waiting_for()}; see {log.name}")
                    time.sleep(0.05)
                started = {one.child.name: one.process.pid for one in supervisor.running if one.process}
                self.pids |= started
                yield
                if dead := [
                    one.child.name for one in supervisor.running if one.process and one.process.poll() is not None
                ]:
                    raise RuntimeError(f"Ended while measured: {dead}")
                for name in started:
                    self.pids.pop(name)
            finally:
                supervisor.stop(8)

    @contextmanager
    def paused(self, *names: str) -> Iterator[None]:
        """Stops the processes (SIGSTOP) so that they take no part in what is measured."""
        members = [m for name, pid in self.pids.items() if name.partition("-")[0] in names for m in family(pid)]
        for member in members:
            member.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for member in members:
                member.send_signal(signal.SIGCONT)

    def cpu(self) -> dict[str, float]:
        """Seconds of user and system time that each family has used so far."""
        return {name: sum(_seconds(member) for member in family(pid)) for name, pid in self.pids.items()}


def family(pid: int) -> list[psutil.Process]:
    leader = psutil.Process(pid)
    return [leader, *leader.children(recursive=True)]


def _seconds(process: psutil.Process) -> float:
    """With children that have ended: PostgreSQL ends a backend with each connection."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def spent(before: dict[str, float], after: dict[str, float], least: float = 0.05) -> dict[str, float]:
    """CPU seconds by process, those that used little left out."""
    found = {name: round(after[name] - before.get(name, 0.0), 2) for name in after}
    return {name: seconds for name, seconds in found.items() if seconds >= least}


@contextmanager
def world() -> Iterator[World]:
    """Servers and schema; this process's environment is set so that Django can be set up in it."""
    with ExitStack() as stack:
        directory = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="ntf-bench-", ignore_cleanup_errors=True))
        )
        servers = stack.enter_context(Servers.start(directory, durable=True))
        stack.callback(servers.postgres.remove)
        chosen: list[int] = []
        for _ in range(3):
            chosen.append(ports.choose(None, frozenset(chosen)))
        given = {
            name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_") and name not in _OWN
        }
        addresses = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
        env = child_environment(given, keys.load_or_make(directory / "env"), addresses, Ports(*chosen))
        env["NOTIFIER_SANDBOX_STORE"] = str(directory / "sandbox.sqlite3")
        env["NOTIFIER_STATIC_ROOT"] = str(directory / "static")
        (directory / "static").mkdir()
        os.environ.update(env)
        made = World(directory, Ports(*chosen), env, servers, directory / "record.jsonl")
        made.pids |= {"postgres": servers.postgres.pid, "redis": servers.redis.pid}
        yield made


def service(made: World) -> Sequence[Child]:
    """The local runner's table; the sandbox sends no receipts and writes a record."""
    table = process_table(made.ports, made.directory)
    options = ("--no-receipts", "--record", str(made.record))
    return [replace(child, command=child.command + options) if child.name == "sandbox" else child for child in table]
