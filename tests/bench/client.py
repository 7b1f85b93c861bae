"""A client that costs little: one thread, raw sockets, a request on each connection as soon as the last was answered.

A process of its own: reads a JSON job from standard input, writes what it saw to standard output.
"""

import json
import selectors
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4


@dataclass
class Job:
    """Posts `bodies` in turn until `seconds` have passed or `count` were answered (0: no limit). Warm-up is not counted."""

    port: int
    path: str
    bodies: list[str]
    connections: int = 16
    seconds: float = 0.0
    count: int = 0
    warm_up: float = 0.5
    headers: dict[str, str] = field(default_factory=dict)
    status: str = "202"


@dataclass
class Seen:
    """`latencies` in ms, sorted; `cpu` in seconds is the client's own."""

    count: int
    seconds: float
    latencies: list[float]
    cpu: float

    def percentile(self, share: float) -> float:
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


def run(job: Job) -> Seen:
    """In another process. Raises RuntimeError when an answer was not the expected one."""
    done = subprocess.run(
        [sys.executable, "-S", __file__], input=json.dumps(asdict(job)), capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return Seen(**json.loads(done.stdout))


class _Line:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.began = 0.0
        self.got = b""

    def is_answered(self) -> bool:
        """Reads what is there; True when the answer is whole."""
        piece = self.socket.recv(262_144)
        if not piece:
            raise RuntimeError("the server closed the connection")
        self.got += piece
        head, blank, rest = self.got.partition(b"\r\n\r\n")
        if not blank:
            return False
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        return len(rest) >= int(length)


def _work(job: Job) -> Seen:
    common = "".join(f"{name}: {value}\r\n" for name, value in job.headers.items())
    head = f"POST {job.path} HTTP/1.1\r\nHost: 127.0.0.1:{job.port}\r\nContent-Type: application/json\r\n{common}"
    bodies = [body.encode() for body in job.bodies]
    key, sent = uuid4().hex, 0

    def ask(line: _Line) -> None:
        nonlocal sent
        body = bodies[sent % len(bodies)]
        line.got, line.began = b"", time.perf_counter()
        line.socket.sendall(
            f"{head}Idempotency-Key: {key}-{sent}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )
        sent += 1

    lines = [_Line(job.port) for _ in range(job.connections)]
    latencies: list[float] = []
    expected = f"HTTP/1.1 {job.status}".encode()
    with selectors.DefaultSelector() as selector:
        for line in lines:
            selector.register(line.socket, selectors.EVENT_READ, line)
            ask(line)
        start = time.perf_counter() + job.warm_up
        ends = start + job.seconds if job.seconds else float("inf")
        last, open_ = start, len(lines)
        while open_:
            for chosen, _ in selector.select():
                line: Any = chosen.data
                if not line.is_answered():
                    continue
                now = time.perf_counter()
                if not line.got.startswith(expected):
                    raise RuntimeError(line.got[:600].decode(errors="replace").replace("\r\n", " | "))
                if start < now < ends:
                    latencies.append((now - line.began) * 1000)
                    last = now
                if now < ends and not (job.count and sent >= job.count):
                    ask(line)
                else:
                    open_ -= 1
    latencies.sort()
    return Seen(len(latencies), last - start, latencies, time.process_time())


if __name__ == "__main__":
    given: dict[str, Any] = json.load(sys.stdin)
    json.dump(asdict(_work(Job(**given))), sys.stdout)
