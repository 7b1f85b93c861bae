"""Embedded servers of a test's own, and what runs of them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from notifier.local import places
from notifier.local.processes import is_alive
from notifier.local.servers import Servers

NEVER = Retry(NoBackoff(), 0)
PROJECT = Path(__file__).resolve().parents[2]


def ask(servers: Servers, question: str) -> tuple[object, ...]:
    with psycopg.connect(servers.database_url) as connection:
        return connection.execute(question).fetchone() or ()


def redis_of(servers: Servers) -> "redis.Redis":
    return redis.Redis.from_url(servers.redis_url, decode_responses=True, retry=NEVER)


def postmasters(directory: Path) -> list[psutil.Process]:
    """Servers whose data directory is below `directory`, or stands in for it. What one has just forked still has its command line."""
    homes = (str(directory), str(places.home_outside(directory)))
    found, parents = [], {}
    for process in psutil.process_iter():
        try:
            command, parent = process.cmdline(), process.ppid()
        except psutil.Error:
            continue
        if command[1:2] == ["-D"] and command[2].startswith(homes) and is_alive(process):
            found.append(process)
            parents[process.pid] = parent
    return [process for process in found if parents[process.pid] not in parents]


@pytest.fixture(autouse=True)
def nothing_stays_outside(tmp_path: Path) -> Iterator[None]:
    yield
    for directory in (tmp_path, tmp_path / ".local", *(tmp_path / name for name in ("killed", "running", "next"))):
        places.forget_outside(directory)


@pytest.fixture
def held_elsewhere(tmp_path: Path) -> "subprocess.Popen[str]":
    """Another process that runs durable servers in tmp_path and has printed the postmaster's id."""
    return start_elsewhere(tmp_path, tied=True)


def start_elsewhere(directory: Path, *, tied: bool, durable: bool = True) -> "subprocess.Popen[str]":
    """`tied` servers end with their process; those started from a thread do not, as on systems without that service."""
    script = (
        "import sys, threading, time\n"
        "from pathlib import Path\n"
        "from notifier.local.servers import Servers\n"
        "def start():\n"
        "    global servers\n"
        f"    servers = Servers.start(Path({str(directory)!r}), durable={durable})\n"
        f"    print(servers.postgres.pid, servers.redis.pid, flush=True)\n"
        f"start() if {tied} else threading.Thread(target=start).start()\n"
        "time.sleep(60)\n"
    )
    return subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
