"""Development accounts: the administrator's password and ready-made accounts of a local network, kept between starts.

They are made at the first start, in one file that only its owner can read. Later starts use the same file and change
nothing.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from groundwork import private_file
from groundwork.errors import Refused

FILE_NAME = "household.json"
LOCK_NAME = ".lock"

# Under `.test`, which is reserved for testing and never resolves (RFC 2606).
PEOPLE = ("ana.test", "ben.test", "cleo.test")


class DevAccount(msgspec.Struct, frozen=True):
    """A ready-made account on the PDS. Its password can also be used to sign in to OpenMeet."""

    handle: str
    email: str
    password: str


class DevAccounts(msgspec.Struct, frozen=True):
    """All passwords of one local network, and the port of its PDS, which is part of the identities."""

    admin_password: str
    people: tuple[DevAccount, ...]
    pds_port: int


def make(pds_port: int) -> DevAccounts:
    """Generate passwords for a new network."""
    return DevAccounts(
        admin_password=secrets.token_urlsafe(18),
        people=tuple(
            DevAccount(handle, f"{handle.split('.')[0]}@example.test", secrets.token_urlsafe(9)) for handle in PEOPLE
        ),
        pds_port=pds_port,
    )


def find_or_make(folder: Path, pds_port: int) -> DevAccounts:
    """The accounts stored in ``folder``, made on the first call. Raises Refused if the file is damaged."""
    path = folder / FILE_NAME
    if path.exists():
        try:
            accounts = msgspec.json.decode(path.read_bytes(), type=DevAccounts)
        except msgspec.DecodeError as error:
            raise Refused(f"{path} is damaged ({error}). Restore it, or start with another --data folder.") from error
        if accounts.pds_port != pds_port:
            why = f"The identities in {folder} name port {accounts.pds_port}."
            raise Refused(f"{why} Start with --pds-port {accounts.pds_port}, or choose another --data folder.")
        return accounts
    accounts = make(pds_port)
    private_file.write(path, msgspec.json.format(msgspec.json.encode(accounts), indent=2) + b"\n")
    return accounts


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock the folder for one process. Raises Refused if another network is running in it or it cannot be used."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        why = f"{folder} cannot be used: {error.strerror or error}. Choose another folder with --data."
        raise Refused(why) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise Refused(
            f"A network is already running in {folder}. Stop it, or choose another folder with --data."
        ) from None
    try:
        yield
    finally:
        os.close(lock)
