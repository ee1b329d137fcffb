"""Operators: people who work for the host under their own name. They sign in with a password or through their account
on this server.

Rows are never deleted, because the audit log refers to them; an operator who leaves is disabled. Passwords are hashed
like those of accounts (invariant 8).
"""

import re
from dataclasses import dataclass

from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from aurora_locus.accounts.passwords import MAX_CHECKED_LENGTH, Passwords
from aurora_locus.accounts.registry import Registry
from aurora_locus.i18n.sentences import gettext_noop, localizable
from aurora_locus.moderation import audit_log
from aurora_locus.moderation.roles import ADMINISTRATION, AuditContext, OperatorAction, OperatorRole, PdsOperator
from groundwork.clock import Instant
from groundwork.database.transaction import Database, Reader, Row, UniqueViolated, Writer
from groundwork.errors import InvalidInput, NotFound, NotSignedIn, Refused

# Names that the audit log uses for other actors.
RESERVED = frozenset({ADMINISTRATION.name, "clock"})
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")

_COLUMNS = "select name, role, password_hash, did, disabled, created_at from operators"
_ALL = f"{_COLUMNS} order by name"
_BY_NAME = f"{_COLUMNS} where name = :name"
_BY_DID = f"{_COLUMNS} where did = :did and disabled = 0"
_INSERT = """
    insert into operators (name, role, password_hash, did, disabled, created_at)
    values (:name, :role, :password_hash, :did, 0, :created_at)
"""
_SET = "update operators set role = :role, disabled = :disabled where name = :name"
_SET_PASSWORD = "update operators set password_hash = :hash where name = :name"  # noqa: S105 - a statement


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """An operator's row, without the password hash."""

    operator: PdsOperator
    did: Did | None
    has_password: bool
    is_disabled: bool
    created_at: Instant


async def all_operators(reader: Reader) -> list[OperatorRow]:
    """Return every operator, by name."""
    return [_from_row(row) for row in await reader.fetch(_ALL)]


async def find_by_did(reader: Reader, did: Did) -> PdsOperator | None:
    """Find the operator linked to this account, unless disabled."""
    row = await reader.fetch_one(_BY_DID, did=did)
    return None if row is None else _from_row(row).operator


async def find(reader: Reader, name: str) -> PdsOperator | None:
    """Find the operator with this name, unless disabled. This is read on each request, so that disabling takes effect
    at once.
    """
    row = await reader.fetch_one(_BY_NAME, name=name)
    return None if row is None or row["disabled"] else _from_row(row).operator


async def verify_password(db: Database, passwords: Passwords, name: str, password: str) -> PdsOperator:
    """Return the operator with this name and password. Raises NotSignedIn, after the same amount of work for every
    wrong pair.
    """
    row = None
    if _NAME.fullmatch(name) and len(password) <= MAX_CHECKED_LENGTH:
        async with db.reader() as reader:
            row = await reader.fetch_one(_BY_NAME, name=name)
    fits = await passwords.check(None if row is None else row["password_hash"], password)
    if row is None or not fits or row["disabled"]:
        raise NotSignedIn(gettext_noop("Wrong name or password."), name="AuthenticationRequired")
    return _from_row(row).operator


async def add(
    registry: Registry,
    audit: AuditContext,
    name: str,
    role: OperatorRole,
    *,
    password: str | None = None,
    did: str | None = None,
) -> None:
    """Add an operator with a password, an account or both. Raises InvalidInput, Refused, Forbidden."""
    audit.by.require(OperatorAction.MANAGE_OPERATORS)
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise InvalidInput(
            "name",
            gettext_noop("Choose a name of 2 to 32 lower-case letters, digits and hyphens. Some names are reserved."),
        )
    if not password and not did:
        raise InvalidInput("password", gettext_noop("Type a password, or the DID of the operator’s account."))
    account = None if not did else _did(did)
    password_hash = None
    if password:
        registry.passwords.require_acceptable(password)
        password_hash = await registry.passwords.hash(password)

    def work(w: Writer) -> None:
        w.execute(_INSERT, name=name, role=role.value, password_hash=password_hash, did=account, created_at=w.now)
        after = {"role": role.value, "disabled": False} | ({} if account is None else {"did": account})
        audit_log.append(w, audit, OperatorAction.MANAGE_OPERATORS, name, after=after)

    try:
        await registry.db.write(work)
    except UniqueViolated:
        raise Refused(gettext_noop("There’s already an operator with this name or account.")) from None


async def change(registry: Registry, audit: AuditContext, name: str, role: OperatorRole, *, disabled: bool) -> None:
    """Change the role, or enable or disable the operator. Raises NotFound, Forbidden."""

    def work(w: Writer) -> None:
        row = w.fetch_one(_BY_NAME, name=name)
        if row is None:
            raise _absent()
        before = {"role": row["role"], "disabled": bool(row["disabled"])}
        after = {"role": role.value, "disabled": disabled}
        audit_log.append(w, audit, OperatorAction.MANAGE_OPERATORS, name, before=before, after=after)
        w.execute(_SET, name=name, role=role.value, disabled=int(disabled))

    await registry.db.write(work)


async def set_password(registry: Registry, audit: AuditContext, name: str, password: str) -> None:
    """Set a new password. Raises InvalidInput, NotFound, Forbidden."""
    audit.by.require(OperatorAction.MANAGE_OPERATORS)
    registry.passwords.require_acceptable(password)
    password_hash = await registry.passwords.hash(password)

    def work(w: Writer) -> None:
        audit_log.append(w, audit, OperatorAction.MANAGE_OPERATORS, name, after={"password": "changed"})
        if w.execute(_SET_PASSWORD, name=name, hash=password_hash) != 1:
            raise _absent()

    await registry.db.write(work)


def _did(text: str) -> Did:
    try:
        return parse_did(text)
    except Malformed as error:
        raise InvalidInput("did", localizable("This isn’t a DID: %(why)s.", why=error.why)) from None


def _from_row(row: Row) -> OperatorRow:
    return OperatorRow(
        PdsOperator(row["name"], OperatorRole(row["role"])),
        None if row["did"] is None else Did(row["did"]),
        row["password_hash"] is not None,
        bool(row["disabled"]),
        Instant(row["created_at"]),
    )


def _absent() -> NotFound:
    return NotFound(gettext_noop("There’s no operator with this name."))
