"""What the local runner hands to its processes: environment, secrets, process table, colours."""

import io
import sys
from base64 import b64decode
from pathlib import Path

import pytest

from notifier.local import keys
from notifier.local.children import Ports, process_table, worker_names
from notifier.local.console import Console, console_for
from notifier.local.environment import child_environment, is_given, service_variables
from notifier.pools import POOLS

PORTS = Ports(8000, 8001, 8002)
OURS = {"DATABASE_URL": "postgresql://here/notifier", "REDIS_URL": "redis://here/0"}


def test_children_get_addresses_secrets_and_ports() -> None:
    env = child_environment({"PATH": "/bin"}, {"NOTIFIER_SECRET_KEY": "made"}, OURS, PORTS)
    assert (
        env.items()
        >= {
            "PATH": "/bin",
            "NOTIFIER_SECRET_KEY": "made",
            "DATABASE_URL": "postgresql://here/notifier",
            "REDIS_URL": "redis://here/0",
            "CELERY_BROKER_URL": "redis://here/0",
            "NOTIFIER_PUBLIC_URL": "http://127.0.0.1:8000",
            "NOTIFIER_STREAM_URL": "http://127.0.0.1:8001",
            "NOTIFIER_SANDBOX_URL": "http://127.0.0.1:8002",
            "NOTIFIER_DEBUG": "0",
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "notifier.settings",
        }.items()
    )


def test_what_the_caller_set_wins() -> None:
    given = {"NOTIFIER_SECRET_KEY": "mine", "CELERY_BROKER_URL": "amqp://there", "NOTIFIER_LOG_JSON": "1"}
    env = child_environment(given, {"NOTIFIER_SECRET_KEY": "made"}, OURS, PORTS)
    assert env.items() >= given.items()


def test_a_secret_given_as_a_file_is_not_given_twice() -> None:
    env = child_environment({"NOTIFIER_SECRET_KEY_FILE": "/run/key"}, {"NOTIFIER_SECRET_KEY": "made"}, {}, PORTS)
    assert env["NOTIFIER_SECRET_KEY_FILE"] == "/run/key"
    assert "NOTIFIER_SECRET_KEY" not in env


def test_what_is_about_the_caller_alone_is_not_passed_on() -> None:
    env = child_environment({"MAKEFLAGS": "w", "PYTHONDONTWRITEBYTECODE": "1", "NOTIFIER_ONCE": "1"}, {}, {}, PORTS)
    assert not {"MAKEFLAGS", "PYTHONDONTWRITEBYTECODE", "NOTIFIER_ONCE", "CELERY_BROKER_URL"} & set(env)


@pytest.mark.parametrize(
    ("environ", "given"),
    [({}, False), ({"REDIS_URL": ""}, False), ({"REDIS_URL": "redis://x"}, True), ({"REDIS_URL_FILE": "/x"}, True)],
)
def test_an_address_is_given_by_name_or_by_file(environ: dict[str, str], given: bool) -> None:
    assert is_given(environ, "REDIS_URL") is given


def test_only_variables_of_the_service_are_written_down() -> None:
    env = {"PATH": "/bin", "NOTIFIER_DEBUG": "0", **OURS}
    assert service_variables(env) == {"NOTIFIER_DEBUG": "0", **OURS}


def test_secrets_are_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "env"
    made = keys.load_or_make(path)
    assert set(made) == {
        "NOTIFIER_SECRET_KEY",
        "NOTIFIER_ENCRYPTION_KEYS",
        "NOTIFIER_HASH_KEYS",
        "NOTIFIER_SANDBOX_SECRET",
        "NOTIFIER_ADMIN_PASSWORD",
    }
    assert len(b64decode(made["NOTIFIER_ENCRYPTION_KEYS"].removeprefix("k1:"), validate=True)) == 32
    assert len(b64decode(made["NOTIFIER_HASH_KEYS"].removeprefix("h1:"), validate=True)) == 32
    assert len(set(made.values())) == 5
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.load_or_make(path) == made
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_secret_is_added_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("# mine\nNOTIFIER_SECRET_KEY=a=b\nEXTRA=1\nnot a line\n")
    made = keys.load_or_make(path)
    assert made["NOTIFIER_SECRET_KEY"] == "a=b"
    assert made["EXTRA"] == "1"
    assert len(made) == 6
    assert keys.read(path) == made


def test_there_is_one_process_for_each_row(tmp_path: Path) -> None:
    table = {child.name: child for child in process_table(PORTS, tmp_path)}
    assert list(table) == ["web", "stream", "sandbox", *(name for pool in POOLS for name in worker_names(pool)), "beat"]
    assert {"transactional", "transactional-2"} <= set(table)
    for name, port in (("web", 8000), ("stream", 8001), ("sandbox", 8002)):
        assert table[name].health_url == f"http://127.0.0.1:{port}/healthz"
        assert f"127.0.0.1:{port}" in table[name].command
    for pool in POOLS:
        for name in worker_names(pool):
            command = table[name].command
            assert command[command.index("-n") + 1] == f"{name}@%h"
            assert command[command.index("-Q") + 1].split(",") == list(pool.queues)
            assert command[command.index("--concurrency") + 1] == str(pool.concurrency)
            assert table[name].ready_file == tmp_path / f"{name}.ready"
            assert table[name].niceness == pool.nice
    assert {child.command[0] for child in table.values()} == {sys.executable}


def test_a_line_says_where_it_comes_from() -> None:
    paper = io.StringIO()
    console = Console(paper, colour=False)
    console.line("web", "ready")
    console.say("two\nlines")
    console.plain("copy me")
    assert paper.getvalue() == "web          | ready\nnotifier     | two\nnotifier     | lines\ncopy me\n"
    assert console.paint("red", "red") == "red"


@pytest.mark.parametrize(
    ("environ", "terminal", "coloured"),
    [({}, True, True), ({"NO_COLOR": "1"}, True, False), ({"TERM": "dumb"}, True, False), ({}, False, False)],
)
def test_colour_is_for_terminals_that_want_it(environ: dict[str, str], terminal: bool, coloured: bool) -> None:
    class Paper(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    assert ("\x1b[" in console_for(Paper(), environ).paint("x", "red")) is coloured


def test_a_reader_that_went_away_is_no_error() -> None:
    class Closed(io.StringIO):
        tries = 0

        def flush(self) -> None:
            self.tries += 1
            raise BrokenPipeError

    paper = Closed()
    console = Console(paper, colour=False)
    console.plain("nobody reads this")
    console.plain("nor this")
    assert paper.tries == 1
