"""The README's commands, run as printed; what they answer, compared with what is printed below them."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.management import call_command, get_commands, load_command_class

from apps.channels import selectors as channels
from apps.channels import transport
from apps.dispatch import bells, draining
from apps.ledger.models import Attempt, DeadLetter, Delivery, DeliveryEvent, Notification, SeenKey, WorkItem
from apps.receipts import services as receipts
from apps.receipts.models import ReceiptCall
from tests.integration.sandbox_process import sandbox

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text()
DOCS = {path.name: path.read_text() for path in sorted((PROJECT / "docs").glob("*.md"))}
LEDGER = (Notification, WorkItem, SeenKey, Delivery, DeliveryEvent, Attempt, DeadLetter)

# printed as `console`: not run here, and where they are run instead
NOT_RUN = {
    "make run": "starts the whole system; tests/integration/test_local_runner.py runs its runner",
    "make test": "is this very run",
    "make drill": "takes minutes; tests/faults/test_drill.py plays an act of it",
    "sh notifier/local/secrets.sh": "makes the secrets of the containers; tests/unit/test_compose.py runs it",
    "docker compose up --build": "needs Docker; tests/unit/test_compose.py compares the file with what `make run` starts",
}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_every_command_is_run_or_listed_with_a_reason() -> None:
    assert len(blocks(README, "bash")) == 6
    listed = [line for block in blocks(README, "console") for line in block.splitlines()]
    assert listed == list(NOT_RUN)
    assert set(re.findall(r"^```(\w*)", README, re.MULTILINE)) == {"", "bash", "console", "mermaid", "text"}


def test_the_files_of_the_listed_commands_are_there() -> None:
    targets = re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    for command in NOT_RUN:
        match shlex.split(command):
            case ["make", target]:
                assert target in targets
            case ["sh", script]:
                assert (PROJECT / script).is_file()
            case ["docker", "compose", *_]:
                assert (PROJECT / "docker-compose.yml").is_file()


@pytest.mark.parametrize("name", ["README.md", *DOCS])
def test_management_commands_are_understood(name: str) -> None:
    text = README if name == "README.md" else DOCS[name]
    lines = [
        line for language in ("bash", "console") for block in blocks(text, language) for line in block.splitlines()
    ]
    for line in lines:
        if "manage.py " not in line:
            continue
        words = shlex.split(line)
        command, *arguments = words[words.index(next(word for word in words if word.endswith("manage.py"))) + 1 :]
        app = get_commands()[command]
        parser = load_command_class(app, command).create_parser("manage.py", command)
        parser.parse_args(arguments)


Shell = Callable[[int], str]


@pytest.fixture
def shell(
    live_server: Any, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> Iterator[Shell]:
    """Runs a `bash` block of the README by its place, with the variables of the first one, where `make run` would run."""
    if shutil.which("bash") is None or shutil.which("curl") is None:
        pytest.skip("bash or curl is not installed")
    monkeypatch.setattr(bells, "ring", lambda *queues: None)
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "running.env").write_text(f"NOTIFIER_PUBLIC_URL={live_server.url}\n")
    settings.PUBLIC_URL = live_server.url
    printed = blocks(README, "bash")

    def run(place: int) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", printed[0] + printed[place]],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    with sandbox(tmp_path, receipts_after=0.1, door=live_server.url, secret=configured.SANDBOX_SECRET) as url:
        settings.SANDBOX_URL = url
        channels.forget_cached()
        call_command("seed_demo", out=tmp_path / ".local" / "demo.json", stderr=StringIO())
        yield run
        transport.close_connections()
    channels.forget_cached()
    for table in LEDGER:
        table.objects.all().delete()


def work(receipt_calls: int) -> None:
    """What the workers would do, until so many calls with receipts have come in."""
    for _ in range(2):
        for queue in ("route.transactional", "send.transactional.push", "send.transactional.email"):
            draining.drain(queue)
    ends = monotonic() + 10
    while ReceiptCall.objects.count() < receipt_calls and monotonic() < ends:
        sleep(0.05)
    receipts.apply_due(ends=monotonic() + 5)


def said(printed: str) -> str:
    """A sentence without what differs each time."""
    return re.sub(r"sbx[0-9a-f]+|\d+ bytes", "...", printed)


def test_the_quick_start_answers_as_printed(shell: Shell) -> None:
    texts = blocks(README, "text")

    first = shell(1)
    assert first.startswith("HTTP/1.1 202")
    assert set(json.loads(first.splitlines()[-1])) == set(json.loads(texts[0].splitlines()[-1]))
    assert "Idempotent-Replayed" not in first
    work(receipt_calls=2)

    timeline = json.loads(shell(2))
    told = {
        " ".join([entry["channel"] or "", entry["kind"], said(entry["text"])]).strip() for entry in timeline["entries"]
    }
    assert told == {" ".join(said(line).split()[1:]) for line in texts[1].splitlines()}
    assert timeline["status"] == "delivered"

    again = shell(1)
    for line in texts[2].splitlines():
        assert line.removesuffix(" Accepted") in again
    assert again.splitlines()[-1] == first.splitlines()[-1]
    assert Notification.objects.count() == 1

    other = shell(3)
    assert other.startswith("HTTP/1.1 422")
    assert json.loads(other.splitlines()[-1])["code"] == "idempotency_key_reused"
    assert '"code":"idempotency_key_reused"' in texts[3]
    assert Notification.objects.count() == 1

    assert json.loads(shell(4))["status"] == "queued"
    work(receipt_calls=3)
    answer, shown = json.loads(shell(5)), json.loads(texts[4])
    for page in (answer, shown):
        for one in page["data"]:
            del one["created_at"]
    assert answer == shown
