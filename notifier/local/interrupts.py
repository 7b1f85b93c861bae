"""Signals that end a run. They are noted when they arrive and raised where nothing is half done: raised by the handler itself they would
come between any two instructions, also while `subprocess` holds a lock of its own, and nothing could wait for that process any more."""

import signal
import time
from collections.abc import Callable
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_arrived: list[signal.Signals] = []
_raised = False


class Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP arrived."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number)
        self.signal = number


def listen(on_another: Callable[[], None]) -> None:
    """`on_another` is called for each signal after the first. It prints nothing: the console may be in use."""

    def note(number: int, _: FrameType | None) -> None:
        _arrived.append(signal.Signals(number))
        if len(_arrived) > 1:
            on_another()

    for number in _ENDING:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, note)


def pause(seconds: float) -> None:
    """Sleep. Raises Interrupted, once, when a signal has arrived by then."""
    global _raised
    time.sleep(seconds)
    if _arrived and not _raised:
        _raised = True
        raise Interrupted(_arrived[0])
