"""Started by root, PostgreSQL runs as another account: where its data are then, and what becomes of them."""

import os
import stat
from pathlib import Path

import psutil
import psycopg
import pytest

from notifier.local import places
from notifier.local.holding import ServerError
from notifier.local.servers import Servers
from tests.integration.servers_cast import ask, start_elsewhere
from tests.integration.servers_cast import nothing_stays_outside as nothing_stays_outside

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give the server another account")


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


def test_data_outside_go_when_the_directory_they_belong_to_was_removed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    directory = tmp_path / ".local"
    with Servers.start(directory, durable=True) as servers, psycopg.connect(servers.database_url) as connection:
        connection.execute("create table old (n int)")
    for path in sorted(directory.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with Servers.start(directory, durable=True) as servers:
        assert ask(servers, "select to_regclass('old')") == (None,)


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


def test_a_wheel_that_the_account_cannot_reach_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_can_run", lambda install, account: "server-" in str(install))
    with Servers.start(tmp_path, durable=False) as servers:
        program = Path(psutil.Process(servers.postgres.pid).exe())
        assert program.parts[-5].startswith("server-")
        assert program.stat().st_uid == psutil.Process(servers.postgres.pid).uids().effective
        assert ask(servers, "select 1") == (1,)
    assert not program.exists()


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
