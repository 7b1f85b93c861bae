"""Who holds a directory: one runner at a time, and none after its process has ended, however it ended."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ServerError(Exception):
    """A server cannot be started here; the message is a sentence that says why and what to do."""


@contextmanager
def hold(directory: Path) -> Iterator[None]:
    """Keep every other runner out of `directory` until the block ends, or this process does.

    Raises ServerError that names the process which holds it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise ServerError(
                f"{directory} is in use by process {lock.read().strip() or '?'}. Stop it first."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def is_held(directory: Path) -> bool:
    """True if a process holds it now."""
    try:
        with (directory / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
