"""What the runner prints: one line at a time, each with the name of the process it came from."""

from collections.abc import Mapping
from io import TextIOWrapper
from threading import Lock
from typing import TextIO

_PALETTE = ("36", "32", "33", "35", "34", "96", "92", "93", "95", "94")
_WIDTH = 13


class Console:
    """Prints whole lines from many threads; colours only when asked. A reader that went away is no error."""

    def __init__(self, stream: TextIO, colour: bool) -> None:
        self._stream: TextIO | None = stream
        self._colour = colour
        self._lock = Lock()
        self._colours: dict[str, str] = {"notifier": "1"}

    def line(self, source: str, text: str) -> None:
        with self._lock:
            code = self._colours.setdefault(source, _PALETTE[len(self._colours) % len(_PALETTE)])
            self._write(f"{self._painted(f'{source:<{_WIDTH}}|', code)} {text}\n")

    def say(self, text: str) -> None:
        """A sentence of the runner itself; each line of it gets the prefix."""
        for line in text.splitlines():
            self.line("notifier", line)

    def plain(self, text: str) -> None:
        """A line without a prefix, easy to copy."""
        with self._lock:
            self._write(f"{text}\n")

    def paint(self, text: str, colour: str) -> str:
        """`text` in one of: red green yellow grey bold; unchanged when there is no colour."""
        codes = {"red": "31", "green": "32", "yellow": "33", "grey": "90", "bold": "1"}
        return self._painted(text, codes[colour])

    def _painted(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def _write(self, text: str) -> None:
        if self._stream is not None:
            try:
                self._stream.write(text)
                self._stream.flush()
            except (BrokenPipeError, ValueError):
                self._stream = None


def console_for(stream: TextIO, environ: Mapping[str, str]) -> Console:
    """Colour for a terminal, unless NO_COLOR is set or the terminal is dumb."""
    wanted = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="replace")
    return Console(stream, wanted and stream.isatty())
