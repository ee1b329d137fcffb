"""Delete mypy's cache when a package was installed or removed.

Mypy caches a missing package as one of unknown type, and does not notice when it is installed: a namespace package has
no file whose modification time would change. The cache is therefore stored together with the list of packages that were
installed when it was made.
"""

import hashlib
import shutil
from importlib.metadata import distributions
from pathlib import Path

CACHE = Path(".mypy_cache")
_MARK = CACHE / "installed"


def forget_if_stale() -> None:
    """Delete the cache if the installed packages differ from those at the time when it was made."""
    installed = sorted(f"{one.metadata['Name']} {one.version}" for one in distributions())
    now = hashlib.sha256("\n".join(installed).encode()).hexdigest()
    if _MARK.is_file() and _MARK.read_text() == now:
        return
    shutil.rmtree(CACHE, ignore_errors=True)
    CACHE.mkdir()
    _MARK.write_text(now)
