"""The place list, built once per machine and version of its code, because that takes about ten seconds."""

import hashlib
import inspect
import tempfile
from pathlib import Path

from openmeet.domain.places import additions, build, model
from openmeet.domain.places.gazetteer import Gazetteer

_CODE = "".join(inspect.getsource(module) for module in (additions, build, model))
WORLD = Path(tempfile.gettempdir()) / f"openmeet-{hashlib.sha256(_CODE.encode()).hexdigest()[:16]}-{build.FILE_NAME}"


def open_world() -> Gazetteer:
    """Return all places. Several processes can build the list at the same time."""
    if not WORLD.exists():
        build.build(WORLD)
    return Gazetteer(WORLD)
