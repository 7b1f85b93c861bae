"""The simulators' common base does as it is told, and its record is the truth."""

import subprocess
import sys
from http.client import HTTPConnection, HTTPSConnection, RemoteDisconnected
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import create_default_context
from threading import Thread
from time import monotonic, sleep
from urllib.parse import urlsplit

import msgspec
import pytest

from apps.core.types import ProviderCall
from tests.simulators import Reply, Request, Simulator, Taken, record, running
from tests.simulators.__main__ import simulator


class Echo(Simulator):
    name = "echo"

    def reply(self, request: Request) -> Reply:
        if not request.body:
            return Reply(400, b'{"error":"empty"}', refused=[Taken("", "", "")])
        reference = request.headers.get("x-ref", "")
        return Reply(200, b'{"ok":true}', taken=[Taken(reference, f"m{request.number}", "rosa@example.com", "dl_1")])

    def receipt(self, taken: Taken, kind: str, at: float) -> ProviderCall:
        body = msgspec.json.encode({"id": taken.message_id, "kind": kind})
        return ProviderCall(taken.receipts_to, {"x-signed": "yes"}, body)


def post(
    sim: Simulator, body: bytes = b"hello", *, path: str = "/send", method: str = "POST", ref: str = "at_1"
) -> tuple[int, bytes, dict[str, str]]:
    url = urlsplit(sim.url)
    line = HTTPConnection(str(url.hostname), url.port, timeout=5)
    try:
        line.request(method, path, body or None, {"x-ref": ref})
        answer = line.getresponse()
        return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        line.close()


def test_it_answers_and_records_before(tmp_path: Path) -> None:
    with running(Echo(), record=tmp_path / "record.jsonl") as sim:
        assert post(sim)[:2] == (200, b'{"ok":true}')
        assert post(sim, b"")[0] == 400
        first, second = record.read(tmp_path / "record.jsonl")
        assert msgspec.json.decode(post(sim, b"", path="/_taken", method="GET")[1]) == [
            {"reference": "at_1", "delivery": "dl_1", "id": "m1"}
        ]
    assert (first.request, first.reference, first.delivery, first.message_id, first.status, first.taken) == (
        1, "at_1", "dl_1", "m1", 200, True,
    )  # fmt: skip
    assert first.address == record.hashed("rosa@example.com")
    assert (second.request, second.status, second.taken) == (2, 400, False)
    assert (sim.count, sim.taken_count, [r.body for r in sim.requests]) == (2, 1, [b"hello", b""])


def test_what_it_was_told_is_for_a_share_of_requests(tmp_path: Path) -> None:
    with running(Echo(), record=tmp_path / "record.jsonl") as sim:
        sim.behave(status=503, share=0.4, retry_after="7")
        answers = [post(sim) for _ in range(10)]
        sim.behave()
        assert post(sim)[0] == 200
    assert [status for status, _, _ in answers].count(503) == 4
    assert [headers["retry-after"] for status, _, headers in answers if status == 503] == ["7"] * 4
    lines = record.read(tmp_path / "record.jsonl")
    assert [(line.status, line.taken) for line in lines].count((503, False)) == 4
    assert {line.reference for line in lines} == {"at_1"}
    assert sim.taken_count == 7


def test_what_it_was_told_ends_by_count_and_by_time() -> None:
    with running(Echo()) as sim:
        sim.behave(status=500, requests=2)
        assert [post(sim)[0] for _ in range(3)] == [500, 500, 200]
        sim.behave(status=500, seconds=0.3)
        assert post(sim)[0] == 500
        sleep(0.35)
        assert post(sim)[0] == 200


@pytest.mark.parametrize(("drop", "taken"), [("before", 0), ("after", 1)])
def test_it_drops_a_connection_before_or_after_acting(drop: str, taken: int, tmp_path: Path) -> None:
    with running(Echo(), record=tmp_path / "record.jsonl") as sim:
        sim.behave(drop=drop)
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            post(sim)
    (line,) = record.read(tmp_path / "record.jsonl")
    assert (line.status, line.taken, sim.taken_count) == (0, bool(taken), taken)


def test_it_closes_a_connection_as_soon_as_it_is_opened() -> None:
    with running(Echo()) as sim:
        sim.behave(drop="connect")
        with pytest.raises((RemoteDisconnected, ConnectionResetError, BrokenPipeError)):
            post(sim)
    assert (sim.count, sim.connections) == (0, 1)


def test_it_answers_late_in_drips_or_with_garbage() -> None:
    with running(Echo()) as sim:
        sim.behave(delay=0.2)
        started = monotonic()
        assert post(sim)[0] == 200
        assert monotonic() - started >= 0.2
        sim.behave(drip=0.002)
        started = monotonic()
        assert post(sim)[1] == b'{"ok":true}'
        assert monotonic() - started > 0.1
        sim.behave(garbage=True)
        assert post(sim)[:2] == (200, b"<html>fine</html>")
    assert sim.taken_count == 3


def test_it_takes_so_many_a_second() -> None:
    with running(Echo()) as sim:
        sim.behave(rate=5, retry_after="+30")
        answers = [post(sim) for _ in range(8)]
    assert [status for status, _, _ in answers] == [200] * 5 + [429] * 3
    assert "GMT" in answers[-1][2]["retry-after"]
    assert sim.taken_count == 5


class Door:
    """Takes receipts, and answers each with the next of `statuses`, then with 200."""

    def __init__(self, *statuses: int) -> None:
        door, self.bodies, self.statuses = self, list[bytes](), list(statuses)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                door.bodies.append(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(door.statuses.pop(0) if door.statuses else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/receipts"
        self.thread = Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self) -> "Door":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def wait_for(self, count: int) -> list[object]:
        ends_at = monotonic() + 5
        while len(self.bodies) < count and monotonic() < ends_at:
            sleep(0.01)
        sleep(0.1)
        return [msgspec.json.decode(body) for body in self.bodies]


def test_its_receipts_come_late_twice_and_again_after_a_failure() -> None:
    with Door(500) as door, running(Echo(), receipts_to=door.url) as sim:
        sim.send_receipts(after=0.1, kinds=("sent", "delivered"), duplicates=1)
        post(sim)
        sent, delivered = {"id": "m1", "kind": "sent"}, {"id": "m1", "kind": "delivered"}
        found = door.wait_for(5)
        assert [found.count(sent), found.count(delivered)] == [3, 2]
        assert sim.posted == {500: 1, 200: 4}


def test_forged_receipts_come_besides() -> None:
    with Door() as door, running(Echo(), receipts_to=door.url) as sim:
        sim.send_receipts(after=0.0, forge=0.5)
        for _ in range(4):
            post(sim)
        door.wait_for(6)
        assert len(door.bodies) == 6
        assert sum(body.endswith(b" ") for body in door.bodies) == 2


def test_what_is_lost_in_silence_has_no_receipt(tmp_path: Path) -> None:
    with Door() as door, running(Echo(), receipts_to=door.url, record=tmp_path / "record.jsonl") as sim:
        sim.send_receipts(after=0.0)
        sim.behave(ban=True, share=0.4)
        assert {post(sim)[0] for _ in range(10)} == {200}
        assert len(door.wait_for(6)) == 6
    assert [line.silent for line in record.read(tmp_path / "record.jsonl")].count(True) == 4
    assert sim.taken_count == 10


def test_it_is_told_what_to_do_through_its_door() -> None:
    with running(Echo()) as sim:
        control = b'{"behaviours":[{"status":502,"requests":1}],"receipts":{"after":0.5}}'
        assert post(sim, control, path="/_control", method="PUT")[0] == 200
        assert [post(sim)[0] for _ in range(2)] == [502, 200]
        assert sim.receipts.after == 0.5
        assert post(sim, b'{"behaviours":[{"stauts":502}]}', path="/_control", method="PUT")[0] == 400
        counts = msgspec.json.decode(post(sim, b"", path="/_counts", method="GET")[1])
    assert (counts["requests"], counts["taken"], counts["statuses"]) == (2, 1, {"200": 1, "502": 1})


def test_it_speaks_tls_with_a_certificate_of_its_own() -> None:
    with running(Echo(), tls=True) as sim:
        context = create_default_context(cafile=sim.ca_bundle)
        line = HTTPSConnection("127.0.0.1", urlsplit(sim.url).port, context=context, timeout=5)
        line.request("POST", "/send", b"hello")
        assert line.getresponse().read() == b'{"ok":true}'
        line.close()
    assert (sim.connections, sim.requests[0].version) == (1, "1.1")


def test_a_simulator_that_breaks_fails_its_test() -> None:
    class Broken(Echo):
        def reply(self, request: Request) -> Reply:
            raise KeyError("to")

    with pytest.raises(KeyError), running(Broken()) as sim:
        assert post(sim)[0] == 500


def test_as_a_process_it_listens_and_records(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    command = [sys.executable, "-m", "tests.simulators", "apns", "--ready", str(ready), "--record", str(tmp_path / "r")]
    process = subprocess.Popen([*command, "--control", '{"behaviours":[{"status":503,"requests":1}]}'])
    try:
        ends_at = monotonic() + 20
        while not (ready.exists() and ready.read_text()) and monotonic() < ends_at:
            sleep(0.05)
        sim = simulator("apns", {})
        sim.url = ready.read_text()
        assert [post(sim, path="/3/device/x")[0] for _ in range(2)] == [503, 505]
    finally:
        process.terminate()
        assert process.wait(10) == 0
    assert [line.status for line in record.read(tmp_path / "r")] == [503, 505]
