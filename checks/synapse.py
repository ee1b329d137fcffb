"""Install Synapse, a Matrix homeserver, for the tests of the Matrix bridge, in a separate Python environment in
``.synapse``.

Synapse is AGPL-3.0 and a separate program: the bridge talks to it over HTTP and never imports it. Its packages are
installed only from wheels, with the hashes in ``requirements/synapse.txt``. The stamp file is written last and names
what is installed.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".synapse"
_LOCK = ROOT / "requirements/synapse.txt"
_STAMP = FOLDER / ".installed"

# Installing takes about half a minute on an idle machine. An installation that takes longer than this counts as failed.
_TIMEOUT_SECONDS = 600


class CannotInstallSynapse(Exception):
    """Says what failed and what it printed last."""


def python() -> Path:
    """The interpreter that runs ``synapse.app.homeserver``."""
    return FOLDER / "bin/python"


def is_installed() -> bool:
    """Whether the installed packages are those of the lock file."""
    return _STAMP.is_file() and _STAMP.read_text() == _fingerprint()


def install() -> None:
    """Install Synapse unless it is installed. Programs that do this at the same time wait for each other. Raises
    CannotInstallSynapse.
    """
    if is_installed():
        return
    with _LOCK.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_installed():
            _install()


def _install() -> None:
    print("Installing Synapse for the tests of the Matrix bridge (once, about a minute) …", flush=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    _run([sys.executable, "-m", "venv", "--without-pip", str(FOLDER)])
    pip = [sys.executable, "-m", "pip", "--python", str(python()), "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--no-compile", "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(_LOCK)])
    _STAMP.write_text(_fingerprint())


def _run(command: list[str]) -> None:
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        raise CannotInstallSynapse(f"{' '.join(command[:4])} took more than {_TIMEOUT_SECONDS} s") from None
    if ran.returncode:
        raise CannotInstallSynapse(f"{' '.join(command[:4])} failed:\n{(ran.stdout + ran.stderr)[-2000:]}")


def _fingerprint() -> str:
    return hashlib.sha256(_LOCK.read_bytes() + sys.version.encode()).hexdigest()
