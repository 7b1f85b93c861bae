"""One PostgreSQL server: made, started, killed and started again, always as a direct child of this process."""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from notifier.local import ports
from notifier.local.holding import ServerError
from notifier.local.logfiles import open_log, tail
from notifier.local.places import find_place
from notifier.local.processes import kill_family, spawn, stop, wait_until

NAME = "notifier"
USUAL_PORT = 54329
_PASSWORD = "notifier-password"
_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}
_STOP_FAST = signal.SIGINT
_ALWAYS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "512MB",
    "max_wal_size": "2GB",
    "min_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "lc_messages": "C",
}
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
# survives kill -9 of every process (the kernel keeps what was written), not a power cut
_THROW_AWAY = {"fsync": "off", "synchronous_commit": "on", "full_page_writes": "off", "wal_init_zero": "off"}


class Postgres:
    """The server that belongs to `directory`. TCP on 127.0.0.1 with a password; no socket file, so no limit on the path."""

    def __init__(self, directory: Path, *, durable: bool, say: Callable[[str], None]) -> None:
        self._durable = durable
        self._say = say
        self._log = directory / "log" / "postgres.log"
        self._place = find_place(directory, throw_away=not durable)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def database_url(self) -> str:
        password = (self._place.data / _PASSWORD).read_text()
        return f"postgresql://{NAME}:{password}@127.0.0.1:{self.port}/{NAME}"

    @property
    def pid(self) -> int:
        """The postmaster's process id. Raises ServerError before the first start."""
        if self._process is None:
            raise ServerError("PostgreSQL has not been started.")
        return self._process.pid

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Return when the server accepts connections. Raises ServerError with the log's last lines if it does not."""
        self._stop_left_over()
        if not (self._place.data / "PG_VERSION").exists():
            self._initialise()
        for _ in range(5):
            self._choose_port()
            if self._launch():
                return
            if ports.is_free(self.port) and "shared memory block" not in tail(self._log, 3):
                break
        raise ServerError(f"PostgreSQL did not start. The end of {self._log}:\n{tail(self._log, 15)}")

    def stop(self) -> None:
        """End every session and stop; a throw-away server takes its data with it."""
        if self._process is not None:
            stop(self._process, _STOP_FAST, patience=5)
        if not self._durable:
            shutil.rmtree(self._place.home, ignore_errors=True)

    def remove(self) -> None:
        """Stop what an earlier run left and delete the data."""
        self._stop_left_over()
        shutil.rmtree(self._place.home, ignore_errors=True)

    def kill(self) -> None:
        """kill -9 of the postmaster and of every backend."""
        kill_family(self.pid)
        if self._process is not None:
            self._process.wait()

    def restart(self) -> None:
        """Stop if it still runs, then start on the same port with the same data."""
        if self._process is not None:
            stop(self._process, _STOP_FAST, patience=5)
        if not wait_until(self._launch, seconds=30, every=0.2):
            raise ServerError(f"PostgreSQL did not start again. The end of {self._log}:\n{tail(self._log, 15)}")

    def _stop_left_over(self) -> None:
        """An earlier run that was killed may have left its server, or a postmaster.pid whose number is another program's now."""
        data = self._place.data
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                command = process.cmdline()
                if command[1:3] == ["-D", str(data)] and Path(command[0]).name == "postgres":
                    self._say(f"A PostgreSQL server of an earlier run was left (process {process.pid}): stopping it")
                    process.send_signal(_STOP_FAST)
                    with suppress(psutil.TimeoutExpired):
                        process.wait(5)
                    kill_family(process.pid)
        (data / "postmaster.pid").unlink(missing_ok=True)

    def _initialise(self) -> None:
        """Into a directory that gets its name when it is complete, so that an interrupted attempt leaves nothing to trip over."""
        place, unfinished, secret = self._place, self._place.home / "data-unfinished", self._place.home / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.rmtree(place.data, ignore_errors=True)
        secret.unlink(missing_ok=True)
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_urlsafe(24))
        if place.account:
            os.chown(secret, place.account.uid, place.account.gid)
        self._run(
            "initdb", "-D", str(unfinished), "-U", NAME, f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8",
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions",
            *([] if self._durable else ["--no-sync"]),
        )  # fmt: skip
        self._run("postgres", "--single", "-D", str(unfinished), "postgres", words=f"CREATE DATABASE {NAME}\n")
        secret.rename(unfinished / _PASSWORD)
        unfinished.rename(place.data)

    def _run(self, program: str, *arguments: str, words: str = "") -> None:
        account = self._place.account
        finished = subprocess.run(
            [self._place.program(program), *arguments],
            env=_ENVIRONMENT,
            cwd=self._place.home,
            input=words,
            capture_output=True,
            text=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        if finished.returncode != 0:
            raise ServerError(f"{program} failed: {(finished.stderr or finished.stdout).strip()}")

    def _choose_port(self) -> None:
        usual = USUAL_PORT if self._durable else None
        self.port = ports.choose(usual)
        if usual and self.port != usual:
            self._say(f"Port {usual} is taken: PostgreSQL listens on {self.port}")

    def _launch(self) -> bool:
        """Start the server on `self.port`; True when it is ready, False when it ended instead."""
        settings = {**_ALWAYS, **(_DURABLE if self._durable else _THROW_AWAY), "port": str(self.port)}
        with open_log(self._log) as output:
            process = spawn(
                [
                    self._place.program("postgres"), "-D", self._place.data,
                    *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
                ],
                env=_ENVIRONMENT,
                cwd=self._place.home,
                output=output.fileno(),
                account=self._place.account,
                last_signal=_STOP_FAST,
            )  # fmt: skip
        self._process = process
        wait_until(lambda: process.poll() is not None or self._is_ready(process.pid), seconds=60)
        return process.poll() is None and self._is_ready(process.pid)

    def _is_ready(self, pid: int) -> bool:
        """postmaster.pid: line 1 is the process id, line 8 the state."""
        try:
            lines = (self._place.data / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        return lines[0] == str(pid) and len(lines) > 7 and lines[7].strip() == "ready"
