"""What a network on one machine keeps between two starts: its administrator's password and its ready-made people.

Made once, at the first start, in one file that only its owner can read. A second start finds it and changes nothing.
"""

import secrets
from pathlib import Path

import msgspec

from groundwork import private_file
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
        private_file.write(path, msgspec.json.format(msgspec.json.encode(household), indent=2) + b"\n")
    except OSError as error:
        why = f"{folder} cannot be used: {error.strerror or error}. Choose another folder with --data."
        raise Refused(why) from error
    return household
