"""The embedded servers under everything that befalls them: kill -9, stale files, taken ports, locked directories."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from notifier.local import places, postgres
from notifier.local.holding import ServerError
from notifier.local.processes import is_alive, wait_until
from notifier.local.servers import Servers

NEVER = Retry(NoBackoff(), 0)
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give the server another account")
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel ties children to their parent only on Linux")
PROJECT = Path(__file__).resolve().parents[2]


def ask(servers: Servers, question: str) -> tuple[object, ...]:
    with psycopg.connect(servers.database_url) as connection:
        return connection.execute(question).fetchone() or ()


def redis_of(servers: Servers) -> "redis.Redis":
    return redis.Redis.from_url(servers.redis_url, decode_responses=True, retry=NEVER)


def postmasters(directory: Path) -> list[psutil.Process]:
    """Servers whose data directory is below `directory`, or stands in for it."""
    homes = (str(directory), str(places.home_outside(directory)))
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if command[1:2] == ["-D"] and command[2].startswith(homes) and is_alive(process):
            found.append(process)
    return found


@pytest.fixture(autouse=True)
def nothing_stays_outside(tmp_path: Path) -> Iterator[None]:
    yield
    for directory in (tmp_path, tmp_path / ".local", *(tmp_path / name for name in ("killed", "running", "next"))):
        places.forget_outside(directory)


@pytest.fixture
def held_elsewhere(tmp_path: Path) -> "subprocess.Popen[str]":
    """Another process that runs durable servers in tmp_path and has printed the postmaster's id."""
    return start_elsewhere(tmp_path, tied=True)


def start_elsewhere(directory: Path, *, tied: bool, durable: bool = True) -> "subprocess.Popen[str]":
    """`tied` servers end with their process; those started from a thread do not, as on systems without that service."""
    script = (
        "import sys, threading, time\n"
        "from pathlib import Path\n"
        "from notifier.local.servers import Servers\n"
        "def start():\n"
        "    global servers\n"
        f"    servers = Servers.start(Path({str(directory)!r}), durable={durable})\n"
        f"    print(servers.postgres.pid, servers.redis.pid, flush=True)\n"
        f"start() if {tied} else threading.Thread(target=start).start()\n"
        "time.sleep(60)\n"
    )
    return subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT, stdout=subprocess.PIPE, text=True)


def test_both_ask_for_a_password(tmp_path: Path) -> None:
    with Servers.start(tmp_path, durable=False) as servers:
        assert ask(servers, "select current_user, current_database()") == ("notifier", "notifier")
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(host="127.0.0.1", port=servers.postgres.port, user="notifier", dbname="notifier")
        assert redis_of(servers).ping() is True
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=servers.redis.port, retry=NEVER).ping()


@pytest.mark.parametrize(("durable", "fsync"), [(True, "on"), (False, "off")])
def test_settings_are_those_promised(tmp_path: Path, durable: bool, fsync: str) -> None:
    names = "fsync", "synchronous_commit", "full_page_writes", "max_connections", "server_encoding", "TimeZone"
    with Servers.start(tmp_path, durable) as servers:
        shown = ask(servers, "select " + ", ".join(f"current_setting('{name}')" for name in names))
        assert shown == (fsync, "on", fsync, "200", "UTF8", "UTC")
        assert ask(servers, "select datlocprovider, datlocale from pg_database where datname = 'notifier'") == (
            "b",
            "C.UTF-8",
        )
        assert ask(servers, "select lower('ÄÖ'), current_setting('server_version_num')::int / 10000") == ("äö", 18)
        redis_settings = redis_of(servers).config_get()
        assert redis_settings["save"] == ""
        assert redis_settings["appendonly"] == "no"
        assert redis_settings["maxmemory-policy"] == "noeviction"


def test_a_killed_postgres_comes_back_at_its_address_with_what_was_committed(tmp_path: Path) -> None:
    with Servers.start(tmp_path, durable=False) as servers:
        with psycopg.connect(servers.database_url) as connection:
            connection.execute("create table kept as select generate_series(1, 1000) as n")
        address, first = servers.database_url, servers.postgres.pid
        servers.postgres.kill()
        assert postmasters(tmp_path) == []
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(address)
        servers.postgres.restart()
        assert servers.database_url == address
        assert servers.postgres.pid != first
        assert ask(servers, "select count(*) from kept") == (1000,)


def test_a_running_postgres_is_stopped_by_its_restart(tmp_path: Path) -> None:
    with Servers.start(tmp_path, durable=False) as servers:
        first = servers.postgres.pid
        servers.postgres.restart()
        assert not psutil.pid_exists(first)
        assert [process.pid for process in postmasters(tmp_path)] == [servers.postgres.pid]


def test_a_killed_redis_comes_back_empty_at_its_address(tmp_path: Path) -> None:
    with Servers.start(tmp_path, durable=False) as servers:
        address = servers.redis_url
        redis_of(servers).set("bell", "1")
        servers.redis.kill()
        with pytest.raises(redis.ConnectionError):
            redis_of(servers).ping()
        servers.redis.restart()
        assert servers.redis_url == address
        assert redis_of(servers).get("bell") is None


def test_a_throw_away_server_leaves_no_process_and_no_data(tmp_path: Path) -> None:
    with Servers.start(tmp_path, durable=False) as servers:
        processes = [psutil.Process(servers.postgres.pid), psutil.Process(servers.redis.pid)]
    assert [process for process in processes if process.is_running()] == []
    assert not (tmp_path / "postgres").exists()
    assert not places.home_outside(tmp_path).exists()


def test_durable_data_survive_and_the_password_stays(tmp_path: Path) -> None:
    with Servers.start(tmp_path, durable=True) as servers:
        password = servers.database_url.split("@")[0]
        with psycopg.connect(servers.database_url) as connection:
            connection.execute("create table kept (n int)")
    with Servers.start(tmp_path, durable=True) as servers:
        assert ask(servers, "select count(*) from kept") == (0,)
        assert servers.database_url.split("@")[0] == password


def test_a_pid_file_whose_number_belongs_to_another_program_is_no_obstacle(tmp_path: Path) -> None:
    with Servers.start(tmp_path, durable=True) as servers:
        data = Path(str(ask(servers, "show data_directory")[0]))
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        (data / "postmaster.pid").write_text(f"{bystander.pid}\n{data}\n1\n54329\n\n127.0.0.1\n  1  1\nready   \n")
        with Servers.start(tmp_path, durable=True) as servers:
            assert ask(servers, "select 1") == (1,)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_an_interrupted_first_start_is_begun_anew(tmp_path: Path) -> None:
    with Servers.start(tmp_path, durable=True) as servers:
        data = Path(str(ask(servers, "show data_directory")[0]))
    (data / "PG_VERSION").unlink()
    data.with_name("data-unfinished").mkdir()
    (data.with_name("data-unfinished") / "half").write_text("")
    with Servers.start(tmp_path, durable=True) as servers:
        assert ask(servers, "select 1") == (1,)
    assert not data.with_name("data-unfinished").exists()


def test_leftovers_of_redis_are_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "dump.rdb").write_bytes(b"not a dump")
    (tmp_path / "redis" / "redis.pid").write_text("1")
    with Servers.start(tmp_path, durable=False) as servers:
        assert redis_of(servers).dbsize() == 0


def test_a_taken_port_is_said_and_another_one_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        monkeypatch.setattr(postgres, "USUAL_PORT", taken)
        with Servers.start(tmp_path, durable=True, say=said.append) as servers:
            assert servers.postgres.port != taken
            assert f"Port {taken} is taken: PostgreSQL listens on {servers.postgres.port}" in said


def test_a_directory_serves_one_holder_at_a_time(tmp_path: Path) -> None:
    with Servers.start(tmp_path, durable=False) as servers:
        first = servers.postgres.pid
        with pytest.raises(ServerError, match=rf"in use by process {os.getpid()}\. Stop it first\."):
            Servers.start(tmp_path, durable=False)
        assert servers.postgres.pid == first
        assert ask(servers, "select 1") == (1,)


def test_a_deep_path_is_no_obstacle(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-directory-with-a-long-name"] * 8)
    assert len(str(deep)) > 200
    with Servers.start(deep, durable=False) as servers:
        assert ask(servers, "select 1") == (1,)
        assert redis_of(servers).ping() is True


@ON_LINUX
def test_servers_end_with_the_process_that_started_them(held_elsewhere: "subprocess.Popen[str]") -> None:
    with held_elsewhere as holder:
        assert holder.stdout is not None
        processes = [psutil.Process(int(pid)) for pid in holder.stdout.readline().split()]
        assert len(processes) == 2
        holder.send_signal(signal.SIGKILL)
        assert wait_until(lambda: not any(is_alive(process) for process in processes), seconds=5)


def test_an_orphaned_server_of_a_killed_run_is_stopped(tmp_path: Path) -> None:
    with start_elsewhere(tmp_path, tied=False) as holder:
        assert holder.stdout is not None
        orphans = [psutil.Process(int(pid)) for pid in holder.stdout.readline().split()]
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        time.sleep(0.2)
        assert [process for process in orphans if not is_alive(process)] == []
        said: list[str] = []
        with Servers.start(tmp_path, durable=True, say=said.append) as servers:
            assert ask(servers, "select 1") == (1,)
            assert not any(is_alive(process) for process in orphans)
        assert [sentence for sentence in said if "earlier run" in sentence] == [
            f"A Redis server of an earlier run was left (process {orphans[1].pid}): stopping it",
            f"A PostgreSQL server of an earlier run was left (process {orphans[0].pid}): stopping it",
        ]


@AS_ROOT
def test_below_a_private_directory_no_mode_changes_and_the_data_go_elsewhere(tmp_path: Path) -> None:
    private = tmp_path / "private"
    project = private / "checkout"
    project.mkdir(parents=True)
    private.chmod(0o700)
    above = [project, *project.parents]
    before = {path: path.stat() for path in above}
    with Servers.start(project / ".local", durable=True) as servers:
        data = Path(str(ask(servers, "show data_directory")[0]))
        assert psutil.Process(servers.postgres.pid).uids().effective != 0
    home = places.home_outside(project / ".local")
    assert data == home / "data"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert home.stat().st_uid != 0
    for path in above:
        assert (path.stat().st_mode, path.stat().st_uid) == (before[path].st_mode, before[path].st_uid), path
    with Servers.start(project / ".local", durable=True) as servers:
        assert ask(servers, "show data_directory") == (str(data),)
    places.forget_outside(project / ".local")
    assert not home.exists()


@AS_ROOT
def test_data_outside_go_when_the_directory_they_belong_to_was_removed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    directory = tmp_path / ".local"
    with Servers.start(directory, durable=True) as servers, psycopg.connect(servers.database_url) as connection:
        connection.execute("create table old (n int)")
    for path in sorted(directory.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with Servers.start(directory, durable=True) as servers:
        assert ask(servers, "select to_regclass('old')") == (None,)


@AS_ROOT
def test_throw_away_data_of_a_killed_process_are_swept(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    first, second, third = (tmp_path / name for name in ("killed", "running", "next"))
    with (
        start_elsewhere(first, tied=True, durable=False) as killed,
        start_elsewhere(second, tied=True, durable=False) as running,
    ):
        for holder in (killed, running):
            assert holder.stdout is not None
            holder.stdout.readline()
        killed.kill()
        killed.wait()
        assert places.home_outside(first).exists()
        with Servers.start(third, durable=False):
            assert not places.home_outside(first).exists()
            assert places.home_outside(second).exists()
        running.kill()
    with Servers.start(third, durable=False):
        assert not places.home_outside(second).exists()


@AS_ROOT
def test_a_wheel_that_the_account_cannot_reach_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_can_run", lambda install, account: "server-" in str(install))
    with Servers.start(tmp_path, durable=False) as servers:
        program = Path(psutil.Process(servers.postgres.pid).exe())
        assert program.parts[-5].startswith("server-")
        assert program.stat().st_uid == psutil.Process(servers.postgres.pid).uids().effective
        assert ask(servers, "select 1") == (1,)
    assert not program.exists()


@AS_ROOT
def test_a_foreign_file_in_the_way_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "postgres-lives-at").write_text("")
    outside = places.home_outside(tmp_path)
    outside.symlink_to(tmp_path)
    try:
        with pytest.raises(ServerError, match="is in the way"):
            Servers.start(tmp_path, durable=False)
    finally:
        outside.unlink()
