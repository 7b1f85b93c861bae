"""The process table: what runs beside the servers, one row a process. docker-compose.yml is the same table."""

import sys
from dataclasses import dataclass
from pathlib import Path

from notifier.pools import POOLS, Pool


@dataclass(frozen=True)
class Child:
    """One process. It is ready when `health_url` answers 200, when `ready_file` exists, or, with neither, when it has run for a second."""

    name: str
    command: tuple[str, ...]
    health_url: str = ""
    ready_file: Path | None = None
    niceness: int = 0


@dataclass(frozen=True)
class Ports:
    web: int
    stream: int
    sandbox: int


def process_table(ports: Ports, scratch: Path) -> tuple[Child, ...]:
    """`scratch` is a directory for ready files and beat's state."""
    return (
        _server("web", ports.web, "notifier.wsgi:application", "--worker-class", "gthread", "--workers", "2", "--threads", "8"),
        _server("stream", ports.stream, "notifier.asgi:application", "--worker-class", "asgi", "--workers", "1"),
        Child(
            "sandbox",
            (sys.executable, "manage.py", "run_sandbox", "--bind", f"127.0.0.1:{ports.sandbox}"),
            health_url=f"http://127.0.0.1:{ports.sandbox}/healthz",
        ),
        *(_worker(pool, scratch) for pool in POOLS),
        Child(
            "beat",
            (
                sys.executable, "-m", "celery", "-q", "-A", "notifier", "beat",
                "--scheduler", "django_celery_beat.schedulers:DatabaseScheduler",
                "--schedule", str(scratch / "beat"), "--pidfile", "", "--loglevel", "WARNING",
            ),
        ),
    )  # fmt: skip


def worker_arguments(pool: Pool) -> tuple[str, ...]:
    """What follows `celery -A notifier` for a pool's worker."""
    return (
        "worker", "-n", f"{pool.name}@%h", "-Q", ",".join(pool.queues),
        "--pool", pool.pool, "--concurrency", str(pool.concurrency), "-I", "notifier.local.ready",
        "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING",
    )  # fmt: skip


def _worker(pool: Pool, scratch: Path) -> Child:
    command = (sys.executable, "-m", "celery", "-q", "-A", "notifier", *worker_arguments(pool))
    return Child(pool.name, command, ready_file=scratch / f"{pool.name}.ready", niceness=pool.nice)


def _server(name: str, port: int, application: str, *options: str) -> Child:
    command = (
        sys.executable, "-m", "gunicorn", application, *options, "--bind", f"127.0.0.1:{port}",
        "--preload", "--no-control-socket", "--graceful-timeout", "4", "--log-level", "warning",
    )  # fmt: skip
    return Child(name, command, health_url=f"http://127.0.0.1:{port}/healthz")
