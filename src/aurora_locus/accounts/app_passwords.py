"""App passwords. Each has a name, is shown once, can be revoked on its own, and allows less than the account password.

They are random, so the salt does not have to be random: it is derived from the DID, as in the reference server, and the
row is found by the hash.
"""

import re
import secrets
from dataclasses import dataclass

from at_protocol.syntax.did import Did
from aurora_locus.accounts.model import SessionScope
from aurora_locus.accounts.passwords import Passwords
from aurora_locus.accounts.single_line import is_single_line
from aurora_locus.i18n.sentences import localizable
from groundwork.clock import Instant
from groundwork.database.transaction import Database, Reader, Row, UniqueViolated, Writer
from groundwork.errors import InvalidInput, Refused

MAX_NAME_LENGTH = 100
# Far more than a person has apps. Each takes a row, and a slow hash to create.
MAX_APP_PASSWORDS = 100

# RFC 4648 base32 in lower case; sixteen characters are 80 bits.
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_FORM = re.compile(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}")

_COLUMNS = "name, privileged, created_at"
_INSERT = """
    insert into app_passwords (did, name, password_hash, privileged, created_at)
    values (:did, :name, :password_hash, :privileged, :created_at)
"""
_COUNT = "select count(*) from app_passwords where did = :did"
_LIST = f"select {_COLUMNS} from app_passwords where did = :did order by created_at desc, name"
_FIND_BY_HASH = f"select {_COLUMNS} from app_passwords where did = :did and password_hash = :password_hash"
_FIND = f"select {_COLUMNS} from app_passwords where did = :did and name = :name"
_DELETE = "delete from app_passwords where did = :did and name = :name"
_DELETE_SESSIONS = "delete from sessions where did = :did and app_password_name = :name"


@dataclass(frozen=True, slots=True)
class AppPassword:
    """An app password's row, without its hash."""

    name: str
    is_privileged: bool
    created_at: Instant

    @property
    def scope(self) -> SessionScope:
        """The scope of sessions opened with it."""
        return SessionScope.PRIVILEGED_APP_PASSWORD if self.is_privileged else SessionScope.APP_PASSWORD


def has_form(password: str) -> bool:
    """Whether the text has the form of an app password. This does not depend on which passwords exist."""
    return _FORM.fullmatch(password) is not None


async def create(
    db: Database, passwords: Passwords, did: Did, name: str, *, is_privileged: bool
) -> tuple[AppPassword, str]:
    """Create an app password and return it in clear text, which cannot be shown again.

    Raises InvalidInput if the name cannot be displayed, Refused if the name is in use or the account has too many.
    """
    name = name.strip()
    if not name or len(name) > MAX_NAME_LENGTH or not is_single_line(name):
        raise InvalidInput(
            "name",
            localizable(
                "Give the app password a name of 1 to %(max_name_length)s printable characters.",
                max_name_length=MAX_NAME_LENGTH,
            ),
        )
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    password = "-".join(letters[start : start + 4] for start in range(0, 16, 4))
    password_hash = await passwords.hash_app_password(did, password)

    def work(w: Writer) -> AppPassword:
        count = w.fetch_one(_COUNT, did=did)
        if count is not None and count[0] >= MAX_APP_PASSWORDS:
            raise Refused(
                localizable(
                    "An account can have up to %(max_app_passwords)s app passwords. Remove one first.",
                    max_app_passwords=MAX_APP_PASSWORDS,
                ),
                name="InvalidRequest",
            )
        w.execute(
            _INSERT,
            did=did,
            name=name,
            password_hash=password_hash,
            privileged=int(is_privileged),
            created_at=w.now,
        )
        return AppPassword(name, is_privileged, w.now)

    try:
        return await db.write(work), password
    except UniqueViolated:
        raise Refused(
            localizable("There’s already an app password with the name %(name)s.", name=name), name="InvalidRequest"
        ) from None


async def list_all(reader: Reader, did: Did) -> list[AppPassword]:
    """Return the account's app passwords, newest first."""
    return [_from_row(row) for row in await reader.fetch(_LIST, did=did)]


async def find_by_hash(reader: Reader, did: Did, password_hash: str) -> AppPassword | None:
    """Return the account's app password with this hash, or None."""
    row = await reader.fetch_one(_FIND_BY_HASH, did=did, password_hash=password_hash)
    return None if row is None else _from_row(row)


def find(w: Writer, did: Did, name: str) -> AppPassword | None:
    """Return the account's app password with this name; None if it was revoked."""
    row = w.fetch_one(_FIND, did=did, name=name)
    return None if row is None else _from_row(row)


def revoke(w: Writer, did: Did, name: str) -> None:
    """Revoke an app password and end its sessions. A password that no longer exists is not an error.

    Access tokens that were already issued stay valid for up to two hours.
    """
    w.execute(_DELETE, did=did, name=name)
    w.execute(_DELETE_SESSIONS, did=did, name=name)


def _from_row(row: Row) -> AppPassword:
    return AppPassword(row["name"], bool(row["privileged"]), Instant(row["created_at"]))
