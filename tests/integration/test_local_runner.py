"""`make run` with small programs in the place of the service's processes: what it says, and that nothing outlives it."""

import signal
import socket
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from notifier.local.processes import is_alive, wait_until
from notifier.local.servers import Servers
from tests.integration.runner_cast import PROJECT, Starter
from tests.integration.runner_cast import project as project
from tests.integration.runner_cast import start as start


def test_once_tells_the_story_and_ends_well(start: Starter, project: Path) -> None:
    run = start(NOTIFIER_ONCE="1")
    assert run.ends(40) == 0
    said = "\n".join(run.lines)
    assert "  202 after " in said
    for channel, user in (("push", "rider"), ("email", "rider"), ("in_app", "rider"), ("sms", "contact")):
        assert f"    +120 ms  {f'u_{user}':<10} {channel:<7} delivered  Told." in said
    assert "user admin, password pw" in said
    assert "-H 'Authorization: Bearer ntf_test_x'" in said
    assert run.lines[-1].endswith("| Stopped")
    assert "\x1b[" not in said
    assert (project / ".local" / "env").stat().st_mode & 0o777 == 0o600
    assert (project / ".local" / "running.env").stat().st_mode & 0o777 == 0o600
    assert (project / ".local" / "demo.json").stat().st_mode & 0o777 == 0o600


def test_once_says_which_delivery_is_missing_and_fails(start: Starter) -> None:
    run = start(status="failed", NOTIFIER_ONCE="1")
    assert run.ends(40) == 1
    assert "notifier     | sms to u_contact is failed (It is a test.); the last entry: Told." in run.lines


def test_once_gives_up_on_a_process_that_cannot_start(start: Starter) -> None:
    run = start(extra="echo 'ERROR: no such thing'; exit 3", NOTIFIER_ONCE="1")
    assert run.ends(40) == 1
    assert "notifier     | extra ended with status 3; starting it again in 0.5 s. Its last lines:" in run.lines
    assert "notifier     |   ERROR: no such thing" in run.lines
    assert "notifier     | Does not start: extra" in run.lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_everything(start: Starter, number: signal.Signals) -> None:
    run = start()
    run.says("Serving; Ctrl-C stops everything")
    family = run.family()
    assert len(family) > 5
    began = time.monotonic()
    run.process.send_signal(number)
    assert run.ends() == 0
    assert time.monotonic() - began < 8
    assert [process for process in family if is_alive(process)] == []
    assert f"notifier     | {number.name}: stopping" in run.lines


def test_a_signal_during_the_start_ends_everything(start: Starter) -> None:
    run = start(extra="sleep 1000")
    run.says("Redis is ready")
    run.process.send_signal(signal.SIGTERM)
    assert run.ends() == 0


def test_a_process_that_ignores_the_signal_is_killed_with_its_group(start: Starter) -> None:
    run = start(extra="trap '' TERM; sleep 1000 & sleep 1000")
    run.says("Serving; Ctrl-C stops everything")
    run.process.send_signal(signal.SIGTERM)
    run.says("Killing extra: still running after 3 s", within=12)
    assert run.ends() == 0


def test_a_second_signal_means_at_once(start: Starter) -> None:
    run = start(extra="trap '' TERM; sleep 1000 & sleep 1000")
    run.says("Serving; Ctrl-C stops everything")
    began = time.monotonic()
    run.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    run.process.send_signal(signal.SIGTERM)
    assert run.ends() == 0
    assert time.monotonic() - began < 3


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ties children to their parent only on Linux")
def test_when_the_runner_is_killed_nothing_is_left_and_the_next_start_works(start: Starter) -> None:
    run = start()
    run.says("Serving; Ctrl-C stops everything")
    family = run.family()
    run.kill()
    assert wait_until(lambda: not any(is_alive(one) for one in family), seconds=5)
    again = start(NOTIFIER_ONCE="1")
    assert again.ends(40) == 0


def test_what_a_killed_run_could_not_take_along_is_ended_by_the_next_start(start: Starter) -> None:
    run = start(extra="sleep 1000 & sleep 1000")
    run.says("Serving; Ctrl-C stops everything")
    grandchildren = [
        process for process in run.family() if process.name() == "sleep" and process.ppid() != run.process.pid
    ]
    assert len(grandchildren) == 2
    run.kill()
    again = start(NOTIFIER_ONCE="1")
    again.says("Ended 2 processes that an earlier run had left")
    assert again.ends(40) == 0
    assert [process for process in grandchildren if is_alive(process)] == []


def test_a_second_runner_is_refused(start: Starter) -> None:
    first = start()
    first.says("Serving; Ctrl-C stops everything")
    second = start()
    assert second.ends() == 1
    assert f"in use by process {first.process.pid}. Stop it first." in "\n".join(second.lines)
    first.process.terminate()
    assert first.ends() == 0


def test_a_dead_child_and_a_dead_server_are_started_again(start: Starter, project: Path) -> None:
    run = start()
    run.says("Serving; Ctrl-C stops everything")
    web, postgres = (
        next(p for p in run.family() if word in p.cmdline()) for word in (str(project / "service.py"), "-D")
    )
    web.kill()
    run.says("web ended with SIGKILL; starting it again in 0.5 s. Its last lines:")
    run.says("web is ready")
    postgres.kill()
    run.says("Postgres has ended; starting it again")
    time.sleep(1)
    assert len([p for p in run.family() if "-D" in p.cmdline()]) == 1
    run.process.terminate()
    assert run.ends() == 0


def test_a_taken_port_is_said_and_another_one_used(start: Starter) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        run = start(usual=taken, NOTIFIER_ONCE="1")
        said = run.says(f"Port {taken} is taken: web listens on ")
        assert run.ends(40) == 0
    port = said.rsplit(" ", 1)[1]
    assert (
        f"  API reference     http://127.0.0.1:{port}/docs    try it out: http://127.0.0.1:{port}/docs/try" in run.lines
    )


def test_given_addresses_are_used_and_no_server_is_started(start: Starter, project: Path, tmp_path: Path) -> None:
    with Servers.start(tmp_path, durable=False) as servers:
        run = start(DATABASE_URL=servers.database_url, REDIS_URL=servers.redis_url)
        run.says("Serving; Ctrl-C stops everything")
        assert [process for process in run.family() if process.name() in {"postgres", "redis-server"}] == []
        environment = (project / ".local" / "running.env").read_text().splitlines()
        assert f"DATABASE_URL={servers.database_url}" in environment
        assert f"REDIS_URL={servers.redis_url}" in environment
        run.process.terminate()
        assert run.ends() == 0


def test_the_campaigns_are_seeded_when_everything_serves(start: Starter, project: Path) -> None:
    (project / "seed.sh").write_text(f'test "$1" = "{project}/.local/demo.json" && echo made; exit 3')
    run = start()
    run.says("Serving; Ctrl-C stops everything")
    run.says("made")
    run.says("The demo's campaigns could not be made; see the lines above.")
    run.process.terminate()
    assert run.ends() == 0


def test_a_run_that_ends_after_the_story_seeds_no_campaigns(start: Starter, project: Path) -> None:
    (project / "seed.sh").write_text("touch seeded")
    assert start(NOTIFIER_ONCE="1").ends(40) == 0
    assert not (PROJECT / "seeded").exists() and not (project / "seeded").exists()


def test_secrets_stay_from_run_to_run(start: Starter, project: Path) -> None:
    assert start(NOTIFIER_ONCE="1").ends(40) == 0
    before = (project / ".local" / "env").read_text()
    assert start(NOTIFIER_ONCE="1").ends(40) == 0
    assert (project / ".local" / "env").read_text() == before
