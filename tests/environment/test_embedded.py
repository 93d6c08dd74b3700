"""The embedded PostgreSQL's life: shared, private, and back after every kind of death."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from core.management.embedded import (
    LONGEST_SOCKET_PATH,
    NAME,
    SOCKET_FILE,
    EmbeddedServer,
    EmbeddedServerError,
    make_private,
)
from tests.environment.conftest import (
    REPOSITORY,
    eventually,
    is_running,
    is_stopped,
)
from tests.environment.demo import postmaster_pid

JOIN_AND_WAIT = """
import sys, time
from pathlib import Path
from core.management.embedded import EmbeddedServer
with EmbeddedServer(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def user_process(state_dir: Path) -> "subprocess.Popen[str]":
    """Another process that uses the server until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", JOIN_AND_WAIT, str(state_dir)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_last_to_leave_stops_the_server_and_what_was_written_stays(state_dir: Path) -> None:
    first, second = EmbeddedServer(state_dir), EmbeddedServer(state_dir)
    url = first.join()
    assert second.join() == url
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    first.leave()
    assert second.is_alive()
    second.leave()
    assert is_stopped(state_dir)
    with EmbeddedServer(state_dir) as again, psycopg.connect(again) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (7,)


def test_several_processes_that_start_at_once_share_one_server(state_dir: Path) -> None:
    processes = [user_process(state_dir) for _ in range(3)]
    urls = {process.stdout.readline() for process in processes if process.stdout}
    assert urls == {f"{EmbeddedServer(state_dir).url}\n"}
    for process in processes:
        assert not is_stopped(state_dir)
        process.communicate()
        assert process.returncode == 0
    assert is_stopped(state_dir)


def test_a_killed_user_does_not_keep_the_server_from_stopping(state_dir: Path) -> None:
    killed = user_process(state_dir)
    assert killed.stdout
    assert killed.stdout.readline()
    killed.kill()
    killed.communicate()
    assert not is_stopped(state_dir)
    with EmbeddedServer(state_dir):
        assert not is_stopped(state_dir)
    assert is_stopped(state_dir)


def test_a_server_whose_postmaster_was_killed_starts_again(state_dir: Path) -> None:
    first = EmbeddedServer(state_dir)
    with psycopg.connect(first.join()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    os.kill(postmaster_pid(state_dir), signal.SIGKILL)
    with EmbeddedServer(state_dir) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (7,)
        first.leave()


def test_a_dead_servers_number_that_lives_on_as_another_process_is_no_obstacle(
    state_dir: Path,
) -> None:
    server = EmbeddedServer(state_dir)
    server.join()
    dead = postmaster_pid(state_dir)
    os.kill(dead, signal.SIGKILL)
    eventually(lambda: not is_running(dead))
    for lock_file in (
        state_dir / "postgres" / "postmaster.pid",
        server.socket_dir / f"{SOCKET_FILE}.lock",
    ):
        lock_file.write_text(lock_file.read_text().replace(str(dead), str(os.getpid()), 1))
    server.leave()
    with EmbeddedServer(state_dir) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_it_runs_under_folders_that_others_cannot_enter_and_opens_none(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedServer(closed / "var") as url, psycopg.connect(url) as connection:
        assert connection.execute("SHOW unix_socket_permissions").fetchone() == ("0700",)
        modes = {mode_of(closed), mode_of(closed / "var"), mode_of(closed / "var" / "postgres")}
    assert modes == {0o700}


@pytest.mark.parametrize("folder", ["it's a clone, really", "x" * 120])
def test_it_runs_wherever_the_clone_lies(tmp_path: Path, folder: str) -> None:
    server = EmbeddedServer(tmp_path / folder / "var")
    with server as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == (NAME,)
        assert mode_of(server.socket_dir) == 0o700
        assert len(str(server.socket_dir / SOCKET_FILE)) <= LONGEST_SOCKET_PATH


def test_a_temporary_folder_that_is_not_ours_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    server = EmbeddedServer(tmp_path / ("x" * 120))
    server.socket_dir.symlink_to(tmp_path)
    with pytest.raises(EmbeddedServerError, match="not a folder of this user"):
        server.join()


def test_a_file_in_the_place_of_the_state_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    with pytest.raises((EmbeddedServerError, FileExistsError)):
        make_private(tmp_path / "var")


def test_the_application_is_no_superuser_and_a_commit_is_durable(state_dir: Path) -> None:
    with EmbeddedServer(state_dir) as url, psycopg.connect(url) as connection:
        is_superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(is_superuser).fetchone() == (False,)
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {setting}").fetchone() == ("on",)


def test_a_command_that_is_terminated_stops_the_server(
    state_dir: Path, manage: Callable[..., "subprocess.Popen[str]"]
) -> None:
    command = manage("shell", "-v0", "-c", "import time; print('up', flush=True); time.sleep(60)")
    assert command.stdout
    assert command.stdout.readline() == "up\n"
    assert not is_stopped(state_dir)
    command.terminate()
    command.communicate(timeout=10)
    assert command.returncode == 128 + signal.SIGTERM
    assert is_stopped(state_dir)


def test_a_command_that_needs_no_database_starts_none(
    state_dir: Path, manage: Callable[..., "subprocess.Popen[str]"]
) -> None:
    for arguments in (["help"], ["version"], ["migrate", "--help"], ["findstatic", "none"]):
        output, _ = manage(*arguments).communicate(timeout=20)
        assert "Traceback" not in output
    assert not (state_dir / "postgres").exists()
