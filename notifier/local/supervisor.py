"""Keeps a table of processes running: starts them, prints what they say, restarts those that die, stops them all."""

import http.client
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from notifier.local.children import Child
from notifier.local.console import Console
from notifier.local.processes import kill_group, spawn

_KEPT_LINES = 60
_LONGEST_PAUSE = 30.0
_STABLE_AFTER = 30.0
_ALIVE_IS_READY = 1.0
_TROUBLE = ("error", "critical", "traceback", "exception", "fatal")


@dataclass
class Running:
    """One child's present process and its history. Times are of the monotonic clock, in seconds."""

    child: Child
    process: subprocess.Popen[bytes] | None = None
    printer: Thread | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    deaths: int = 0
    wanted: bool = False
    ready: bool = False
    was_ready: bool = False
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT_LINES))

    def status(self) -> int | None:
        """The exit status once it has ended and all that it said is printed; None before."""
        if self.process is None or (status := self.process.poll()) is None:
            return None
        if self.printer is not None:
            self.printer.join(1)
        return status

    def is_ready_now(self, now: float) -> bool:
        """What its row of the table says about readiness."""
        if self.child.ready_file is not None:
            return self.child.ready_file.exists()
        if self.child.health_url:
            return answers(self.child.health_url)
        return now - self.started_at >= _ALIVE_IS_READY

    def trouble(self) -> list[str]:
        """The last lines that speak of an error."""
        return [line for line in self.lines if any(word in line.lower() for word in _TROUBLE)][-5:]


class Supervisor:
    """Call `start`, then `tick` several times a second from the same (main) thread, `stop` at the end."""

    def __init__(self, table: Sequence[Child], *, env: Mapping[str, str], cwd: Path, console: Console) -> None:
        self.running = [Running(child) for child in table]
        self._jobs: list[Running] = []
        self._env = dict(env)
        self._cwd = cwd
        self._console = console
        self._began = time.monotonic()

    def start(self, *, only_early: bool = False) -> None:
        """Start all that were not started yet, or the early ones of them."""
        for one in self.running:
            if not one.wanted and (one.child.early or not only_early):
                one.wanted = True
                self._launch(one)

    def tick(self) -> None:
        """Notice deaths, restart what is due, ask those that are not ready yet."""
        now = time.monotonic()
        for one in (one for one in self.running if one.wanted):
            if one.process is None:
                if now >= one.restart_at:
                    self._launch(one)
            elif (status := one.status()) is not None:
                self._bury(one, status, now)
            elif not one.ready and one.is_ready_now(now):
                one.ready = one.was_ready = True
                self._console.say(f"{one.child.name} is ready ({now - self._began:.1f} s)")

    def waiting_for(self, *, only_early: bool = False) -> list[str]:
        """Names of those that are not ready, started or not."""
        return [one.child.name for one in self.running if not one.ready and (one.child.early or not only_early)]

    def broken(self) -> list[str]:
        """Names of those that died three times without ever being ready in between."""
        return [one.child.name for one in self.running if one.deaths >= 3 and not one.was_ready]

    def stop(self, patience: float) -> None:
        """Each one's stop signal to all at once; after `patience` seconds SIGKILL to the groups of those that still run."""
        alive = [one for one in self._all() if one.process is not None and one.process.poll() is None]
        for one in alive:
            with suppress(ProcessLookupError):
                _process(one).send_signal(one.child.stop_signal)
        end = time.monotonic() + patience
        while (late := [one for one in alive if _process(one).poll() is None]) and time.monotonic() < end:
            time.sleep(0.02)
        if late:
            self._console.say(
                f"Killing {', '.join(one.child.name for one in late)}: still running after {patience:g} s"
            )
        for one in alive:
            kill_group(_process(one).pid)
            _process(one).wait()

    def kill(self) -> None:
        """SIGKILL to every group, at once."""
        for one in self._all():
            if one.process is not None:
                kill_group(one.process.pid)

    def launch(self, child: Child) -> Running:
        """Start one more process, which is not restarted when it ends."""
        one = Running(child)
        self._jobs.append(one)
        self._launch(one)
        return one

    def _all(self) -> list[Running]:
        return [*self._jobs, *self.running]

    def _launch(self, one: Running) -> None:
        child = one.child
        env = self._env
        if child.ready_file is not None:
            child.ready_file.unlink(missing_ok=True)
            env = {**env, "NOTIFIER_READY_FILE": str(child.ready_file)}
        one.ready = False
        one.started_at = time.monotonic()
        one.process = spawn(child.command, env=env, cwd=self._cwd, output=subprocess.PIPE, niceness=child.niceness)
        one.printer = Thread(target=self._print, args=(one, one.process), daemon=True)
        one.printer.start()

    def _print(self, one: Running, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            return
        with process.stdout as output:
            for raw in output:
                text = raw.decode(errors="replace").rstrip()
                if text:
                    one.lines.append(text)
                    self._console.line(one.child.name, text)

    def _bury(self, one: Running, status: int, now: float) -> None:
        kill_group(_process(one).pid)
        one.deaths = 1 if now - one.started_at > _STABLE_AFTER else one.deaths + 1
        pause = min(0.5 * 2 ** (one.deaths - 1), _LONGEST_PAUSE)
        one.process, one.restart_at, one.ready = None, now + pause, False
        end = signal.Signals(-status).name if status < 0 else f"status {status}"
        said = "\n".join(f"  {line}" for line in list(one.lines)[-5:]) or "  (nothing)"
        self._console.say(
            f"{one.child.name} ended with {end}; starting it again in {pause:g} s. Its last lines:\n{said}"
        )


def _process(one: Running) -> subprocess.Popen[bytes]:
    if one.process is None:
        raise RuntimeError(f"{one.child.name} does not run")
    return one.process


def answers(url: str) -> bool:
    """True if GET `url` (http, on this machine) answers 200 within a second."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=1)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
