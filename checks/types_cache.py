"""What mypy remembers between runs, forgotten when something was installed or taken away.

A package that was not there is remembered as one whose parts are unknown, and mypy does not notice that it has come: a namespace
package has no file of its own whose time could tell. So the memory is kept together with what was installed when it was made.
"""

import hashlib
import shutil
from importlib.metadata import distributions
from pathlib import Path

CACHE = Path(".mypy_cache")
_MARK = CACHE / "installed"


def forget_if_stale() -> None:
    """Remove the cache where other packages are installed than when it was made."""
    installed = sorted(f"{one.metadata['Name']} {one.version}" for one in distributions())
    now = hashlib.sha256("\n".join(installed).encode()).hexdigest()
    if _MARK.is_file() and _MARK.read_text() == now:
        return
    shutil.rmtree(CACHE, ignore_errors=True)
    CACHE.mkdir()
    _MARK.write_text(now)
