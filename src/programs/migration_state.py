"""State file of a migration, so that it can be resumed by naming that file alone. It has no secrets.

The progress is known from both servers (``at_network.migration``); the file repeats only what people want to read
afterwards.
"""

from pathlib import Path

import msgspec

from groundwork import private_file
from groundwork.errors import Refused


class MoveState(msgspec.Struct, forbid_unknown_fields=True):
    """One migration. ``identifier`` is the handle or DID at the old server; ``old`` and ``new`` are origins."""

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
    """Raises Refused for a file that is no state file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=MoveState)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror or error}.") from error
    except msgspec.DecodeError as error:
        raise Refused(f"{path} is not the file of a move: {error}.") from error


def write(path: Path, state: MoveState) -> None:
    """Write atomically, readable by the owner alone, because it has an address."""
    private_file.write(path, msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n")
