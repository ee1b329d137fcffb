"""What a network on one machine keeps between two starts: its administrator's password and its ready-made people.

Made once, at the first start, in one file that only its owner can read. A second start finds it and changes nothing.
"""

import os
import secrets
from pathlib import Path

import msgspec

from groundwork.errors import Refused

FILE_NAME = "household.json"

# Under `.test`, which is reserved for this and never resolves (RFC 2606).
PEOPLE = ("ana.test", "ben.test", "cleo.test")


class Person(msgspec.Struct, frozen=True):
    """A ready-made account on the PDS; the password also opens a session in OpenMeet."""

    handle: str
    email: str
    password: str


class Household(msgspec.Struct, frozen=True):
    """Every password of one local network."""

    admin_password: str
    people: tuple[Person, ...]


def make() -> Household:
    """A new household with fresh passwords."""
    return Household(
        admin_password=secrets.token_urlsafe(18),
        people=tuple(
            Person(handle, f"{handle.split('.')[0]}@example.test", secrets.token_urlsafe(9)) for handle in PEOPLE
        ),
    )


def find_or_make(folder: Path) -> Household:
    """The household that lives in ``folder``, made there at the first call. Raises Refused when its file is damaged."""
    path = folder / FILE_NAME
    if path.exists():
        try:
            return msgspec.json.decode(path.read_bytes(), type=Household)
        except msgspec.DecodeError as error:
            raise Refused(f"{path} is damaged ({error}). Restore it, or start with another --data folder.") from error
    household = make()
    try:
        _keep(path, household)
    except OSError as error:
        why = f"{folder} cannot be used: {error.strerror or error}. Choose another folder with --data."
        raise Refused(why) from error
    return household


def _keep(path: Path, household: Household) -> None:
    """Write it so that a crash leaves no file or the whole one, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(household), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
