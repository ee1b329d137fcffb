"""State file of a migration, which makes it possible to resume by naming only that file. It contains no secrets.

Both servers store the progress (``at_network.migration``). The file repeats only what people want to read afterwards.
"""

from pathlib import Path

import msgspec

from groundwork import private_file
from groundwork.errors import Refused


class MoveState(msgspec.Struct, forbid_unknown_fields=True):
    """One migration. ``identifier``: the handle or DID on the old server. ``old`` and ``new``: origins."""

    identifier: str
    old: str
    new: str
    handle: str
    email: str
    did: str = ""
    records: int = 0
    blobs_brought: int = 0
    missing_blobs: list[str] = []
    differences: list[str] = []
    is_finished: bool = False


def read(path: Path) -> MoveState:
    """Read a state file. Raises Refused if the file is not one."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=MoveState)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror or error}.") from error
    except msgspec.DecodeError as error:
        raise Refused(f"{path} is not the state file of a migration: {error}.") from error


def write(path: Path, state: MoveState) -> None:
    """Write atomically, readable only by the owner because the file contains an e-mail address."""
    private_file.write(path, msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n")
