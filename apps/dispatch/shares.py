"""How many threads of this process one queue may occupy: a hung channel never takes its neighbours' share."""

from threading import Lock


class Shares:
    """`enter` fails when the share is used up, and remembers that somebody knocked; `was_knocked` tells whether anybody did since it was
    asked last, and so does `leave`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside: dict[str, int] = {}
        self._knocked: set[str] = set()

    def enter(self, queue: str, most: int) -> bool:
        with self._lock:
            inside = self._inside.get(queue, 0)
            if inside >= most:
                self._knocked.add(queue)
                return False
            self._inside[queue] = inside + 1
            return True

    def leave(self, queue: str) -> bool:
        with self._lock:
            self._inside[queue] -= 1
            return self._answered(queue)

    def was_knocked(self, queue: str) -> bool:
        with self._lock:
            return self._answered(queue)

    def _answered(self, queue: str) -> bool:
        knocked = queue in self._knocked
        self._knocked.discard(queue)
        return knocked


shares = Shares()
