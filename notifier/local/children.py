"""The process table: what runs beside the servers, one row a process. docker-compose.yml is the same table."""

import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from notifier.pools import POOLS, Pool

WEB = ("notifier.wsgi:application", "--worker-class", "gthread", "--workers", "2", "--threads", "8")
STREAM = ("notifier.asgi:application", "--worker-class", "asgi", "--workers", "1")
BEAT = ("beat", "--scheduler", "django_celery_beat.schedulers:DatabaseScheduler")
_EARLY_POOLS = frozenset({"transactional", "system"})
_CELERY = (sys.executable, "-m", "celery", "-q", "-A", "notifier")


@dataclass(frozen=True)
class Child:
    """One process. It is ready when `health_url` answers 200, when `ready_file` exists, or, with neither, when it has run for a second.
    `early`: the first notification needs it, so it starts before the others."""

    name: str
    command: tuple[str, ...]
    health_url: str = ""
    ready_file: Path | None = None
    niceness: int = 0
    early: bool = False
    stop_signal: signal.Signals = signal.SIGTERM


@dataclass(frozen=True)
class Ports:
    web: int
    stream: int
    sandbox: int


def process_table(ports: Ports, scratch: Path) -> tuple[Child, ...]:
    """`scratch` is a directory for ready files and beat's state."""
    sandbox = (sys.executable, "manage.py", "run_sandbox", "--bind", f"127.0.0.1:{ports.sandbox}")
    beat_files = ("--schedule", str(scratch / "beat"), "--pidfile=", "--loglevel", "WARNING")
    # beat's own handler saves to the database from within whatever query it interrupts, and then hangs; it has no state to save
    return (
        replace(_server("web", ports.web, WEB, grace=4), early=True),
        _server("stream", ports.stream, STREAM, grace=2),
        Child("sandbox", sandbox, health_url=f"http://127.0.0.1:{ports.sandbox}/healthz", early=True),
        *(_worker(pool, name, scratch) for pool in POOLS for name in worker_names(pool)),
        Child("beat", (*_CELERY, *BEAT, *beat_files), stop_signal=signal.SIGKILL),
    )


def worker_names(pool: Pool) -> tuple[str, ...]:
    """One for each process of a pool: critical, critical-2, ..."""
    return (pool.name, *(f"{pool.name}-{number}" for number in range(2, pool.processes + 1)))


def worker_arguments(pool: Pool, name: str = "") -> tuple[str, ...]:
    """What follows `celery -A notifier` for a pool's worker."""
    return (
        "worker", "-n", f"{name or pool.name}@%h", "-Q", ",".join(pool.queues),
        "--pool", pool.pool, "--concurrency", str(pool.concurrency), "-I", "notifier.local.ready",
        "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING",
    )  # fmt: skip


def _worker(pool: Pool, name: str, scratch: Path) -> Child:
    command = (*_CELERY, *worker_arguments(pool, name))
    return Child(name, command, ready_file=scratch / f"{name}.ready", niceness=pool.nice, early=name in _EARLY_POOLS)


def _server(name: str, port: int, options: tuple[str, ...], grace: int) -> Child:
    command = (
        sys.executable, "-m", "gunicorn", *options, "--bind", f"127.0.0.1:{port}",
        "--preload", "--no-control-socket", "--graceful-timeout", str(grace), "--log-level", "warning",
    )  # fmt: skip
    return Child(name, command, health_url=f"http://127.0.0.1:{port}/healthz")
