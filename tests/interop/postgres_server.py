"""PostgreSQL from Debian on loopback, in a folder of its own that goes at the end."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from peers import free_port

__all__ = ["PASSWORD", "Postgres", "postgres"]

PASSWORD = "a password of the tests"
_USER = "gateway"


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    programs: Path
    folder: Path
    port: int

    def address(self, name: str, user: str = _USER, password: str = PASSWORD) -> str:
        """Return the address of a database."""
        return f"postgresql://{user}:{password.replace(' ', '%20')}@127.0.0.1:{self.port}/{name}"

    def ask(self, sql: str, name: str = "postgres") -> str:
        """Carry out SQL as who may do all; returns what it finds, unadorned."""
        command = [self.programs / "psql", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql]
        done = subprocess.run(
            [*command, self.address(name)], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def stop(self) -> None:
        """Stop it as one does who is in a hurry."""
        self._control("stop", "-m", "fast")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -k {self.folder}"
        self._control("start", "-w", "-o", options, "-l", str(self.folder / "log"))

    def _control(self, *what: str) -> None:
        _run(self.programs / "pg_ctl", "-D", self.folder / "data", *what)


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a server until the block ends."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    assert found, "PostgreSQL is missing: apt-get install postgresql"
    folder = Path(tempfile.mkdtemp(prefix="gateway-postgres-"))
    server = Postgres(found[-1].parent, folder, free_port())
    try:
        (folder / "password").write_text(PASSWORD)
        if os.getuid() == 0:  # as whom the server does not run
            owner = pwd.getpwnam("postgres")
            for path in (folder, folder / "password"):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        _run(
            server.programs / "initdb", "-D", folder / "data", "-U", _USER, "-A", "scram-sha-256",
            "--pwfile", folder / "password", "-E", "UTF8", "--locale=C", "--no-sync",
        )  # fmt: skip
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _run(*command: str | Path) -> None:
    whole = [str(part) for part in command]
    if os.getuid() == 0:
        whole = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *whole]
    # A server that is started keeps what it is given to write to: nobody must wait for its end.
    subprocess.run(whole, cwd="/", stdout=subprocess.DEVNULL, timeout=60, check=True)
