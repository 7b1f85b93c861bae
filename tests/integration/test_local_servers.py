"""The embedded servers under everything that befalls them: kill -9, stale files, taken ports, directories in use."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from notifier.local import places, postgres
from notifier.local.holding import ServerError
from notifier.local.processes import is_alive, wait_until
from notifier.local.servers import Servers
from tests.integration.servers_cast import NEVER, ask, postmasters, redis_of, start_elsewhere
from tests.integration.servers_cast import held_elsewhere as held_elsewhere
from tests.integration.servers_cast import nothing_stays_outside as nothing_stays_outside

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel ties children to their parent only on Linux")


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
        log = ask(servers, "select current_setting('min_wal_size'), current_setting('wal_init_zero')")
        assert log == ("2GB", fsync)
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
