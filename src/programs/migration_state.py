"""What a move was asked for, kept in a file so that it can be gone on with by naming that file alone. No secret is in it.

How far the move is, both servers say better than any file (``at_network.migration``); of that only what people want to read
afterwards is noted.
"""

from pathlib import Path

import msgspec

from groundwork import private_file
from groundwork.errors import Refused


class MoveState(msgspec.Struct, forbid_unknown_fields=True):
    """One move. ``identifier`` is the handle or DID at the old server; ``old`` and ``new`` are origins."""

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
    """Raises Refused for a file that is none of these."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=MoveState)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror or error}.") from error
    except msgspec.DecodeError as error:
        raise Refused(f"{path} is not the file of a move: {error}.") from error


def write(path: Path, state: MoveState) -> None:
    """Whole or not at all, for its owner alone: an address is in it."""
    private_file.write(path, msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n")
