"""What a network on one machine keeps between two starts: its secrets, its people, its addresses.

Made once, at the first start, in one file that only its owner can read. A second start finds it and changes nothing.
"""

import os
import secrets
from pathlib import Path

import msgspec

FILE_NAME = "household.json"

# Under `.test`, which is reserved for this and never resolves (RFC 2606).
PEOPLE = ("ana.test", "ben.test", "cleo.test")


class Person(msgspec.Struct, frozen=True):
    """A ready-made account on the PDS; the password also opens a session in OpenMeet."""

    handle: str
    email: str
    password: str


class Household(msgspec.Struct, frozen=True):
    """Every secret of one local network. Hexadecimal where a key is meant."""

    sealing_key: str
    session_key: str
    admin_password: str
    plc_rotation_key: str
    service_invite: str
    people: tuple[Person, ...]


def make() -> Household:
    """A new household with fresh secrets."""
    return Household(
        sealing_key=secrets.token_hex(32),
        session_key=secrets.token_hex(32),
        admin_password=secrets.token_urlsafe(18),
        plc_rotation_key=secrets.token_hex(32),
        service_invite="",
        people=tuple(
            Person(handle, f"{handle.split('.')[0]}@example.test", secrets.token_urlsafe(9)) for handle in PEOPLE
        ),
    )


def find_or_make(folder: Path) -> Household:
    """The household that lives in ``folder``, made there at the first call. Raises ValueError on a damaged file."""
    path = folder / FILE_NAME
    if path.exists():
        try:
            return msgspec.json.decode(path.read_bytes(), type=Household)
        except msgspec.DecodeError as error:
            raise ValueError(
                f"{path} is damaged ({error}). Restore it, or start with another --data folder."
            ) from error
    household = make()
    keep(folder, household)
    return household


def keep(folder: Path, household: Household) -> None:
    """Write it so that a crash leaves the old file or the new one, readable by its owner alone."""
    path = folder / FILE_NAME
    folder.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(household), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
