"""Starting and stopping child processes so that none outlives the process that started it."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from notifier.local.interrupts import pause

_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


@dataclass(frozen=True)
class Account:
    """The system account a server runs as."""

    uid: int
    gid: int


def spawn(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path,
    output: int | IO[bytes],
    stdin: int = subprocess.DEVNULL,
    account: Account | None = None,
    last_signal: signal.Signals = signal.SIGKILL,
    niceness: int = 0,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own; stderr joins stdout in `output`. What it writes only its account can read.

    On Linux the kernel sends it `last_signal` when this process ends in any way, kill -9 included. The kernel ties that
    to the *thread* that started the child, so a child started outside the main thread is not tied.
    Raises OSError when the program cannot be started.
    """
    tied = threading.current_thread() is threading.main_thread()
    with warnings.catch_warnings():
        # Python 3.12 warns of locks held by other threads; what runs between fork and exec takes none
        warnings.simplefilter("ignore", DeprecationWarning)
        return subprocess.Popen(
            [str(part) for part in command],
            env=dict(env),
            cwd=cwd,
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=_in_child(os.getpid(), last_signal if tied else None, niceness),
        )


def die_with_parent(last_signal: signal.Signals) -> None:
    """Have the kernel send this process `last_signal` when the one that started it is gone (Linux only)."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, int(last_signal), 0, 0, 0)


def stop(process: subprocess.Popen[bytes], first: signal.Signals, patience: float) -> bool:
    """Send `first` to the process, after `patience` seconds SIGKILL to its whole group. True if it went by itself."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            process.send_signal(first)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    willing = process.poll() is not None
    kill_group(process.pid)
    process.wait()
    return willing


def kill_group(leader: int) -> None:
    """SIGKILL whatever is left of a group that `spawn` started, also when its leader is gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def kill_family(pid: int) -> None:
    """SIGKILL a process and its descendants (which may have sessions of their own) and wait until they are gone."""
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until(lambda: not any(is_alive(process) for process in family), seconds=10)


def kill_marked(name: str, value: str) -> list[int]:
    """SIGKILL every process whose environment has `name`=`value`, and say which. This process is spared."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(name) == value:
                process.kill()
                found.append(process)
    wait_until(lambda: not any(is_alive(process) for process in found), seconds=10)
    return [process.pid for process in found]


def yield_processor(niceness: int) -> None:
    """This process and its session are nicer by so much. Linux shares the processor among sessions first, where niceness counts within
    each only (sched(7), "The autogroup feature"); it lets an ordinary user set a session's once in a tenth of a second."""
    os.nice(niceness)
    for _ in range(20):
        try:
            Path("/proc/self/autogroup").write_text(str(niceness))
            return
        except BlockingIOError:
            time.sleep(0.02)
        except OSError:
            return


def is_alive(process: psutil.Process) -> bool:
    """False also for one that is dead but not yet reaped by its parent."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(ready: Callable[[], bool], seconds: float, every: float = 0.02) -> bool:
    """Ask `ready` until it says yes. False when `seconds` have passed."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() >= end:
            return False
        pause(every)
    return True


def _in_child(parent: int, last_signal: signal.Signals | None, niceness: int) -> Callable[[], None]:
    def prepare() -> None:
        if niceness:
            yield_processor(niceness)
        if last_signal is not None and _prctl is not None:
            _prctl(_PR_SET_PDEATHSIG, int(last_signal), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return prepare
