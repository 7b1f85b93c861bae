"""Log files of the servers: appended, cut when large, read from the end."""

from pathlib import Path
from typing import IO

_LARGE = 4 * 1024 * 1024


def open_log(path: Path) -> IO[bytes]:
    """Open for appending, making its directory; a file above 4 MiB begins anew."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    mode = "wb" if path.exists() and path.stat().st_size > _LARGE else "ab"
    return path.open(mode)


def tail(path: Path, lines: int) -> str:
    """The last lines of a text file, or the empty string if there is none."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
