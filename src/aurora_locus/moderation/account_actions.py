"""Account administration by operators: each action with its audit log entry, in one transaction."""

from at_protocol.syntax.did import Did
from aurora_locus.accounts import (
    deletion,
    email_changes,
    email_tokens,
    handle_change,
    invites,
    password_reset,
    queries,
    signing_key_change,
)
from aurora_locus.accounts.account_requests import email_taken
from aurora_locus.accounts.email_tokens import TokenPurpose
from aurora_locus.accounts.registry import Registry
from aurora_locus.blobs import quotas
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.moderation import audit_log
from aurora_locus.moderation.roles import AuditContext, OperatorAction
from groundwork.database.transaction import UniqueViolated, Writer
from groundwork.errors import InvalidInput, NotFound, Refused
from groundwork.mail.address import parse_address

# Written to the log in place of addresses and passwords, which it must not contain.
_CHANGED = {"value": "changed"}

_SET_INVITES = "update accounts set invites_disabled = :disabled, invite_note = :note where did = :did"
_INVITES = "select invites_disabled, invite_note from accounts where did = :did"
_EXISTS = "select 1 from accounts where did = :did"


async def allow_invites(registry: Registry, audit: AuditContext, did: Did, *, allowed: bool, note: str | None) -> None:
    """Let the account earn invite codes, or no more. Its codes stay valid. Raises NotFound, Forbidden."""

    def work(w: Writer) -> None:
        row = w.fetch_one(_INVITES, did=did)
        if row is None:
            raise account_absent()
        w.execute(_SET_INVITES, did=did, disabled=int(not allowed), note=note)
        act = OperatorAction.ENABLE_INVITES if allowed else OperatorAction.DISABLE_INVITES
        before, after = {"disabled": bool(row["invites_disabled"])}, {"disabled": not allowed}
        audit_log.append(w, audit, act, did, before=before, after=after)

    await registry.db.write(work)


async def disable_codes(registry: Registry, audit: AuditContext, codes: list[str], accounts: list[str]) -> None:
    """Disable these codes and every code of these accounts. Raises Forbidden."""

    def work(w: Writer) -> None:
        for code in codes:
            audit_log.append(w, audit, OperatorAction.DISABLE_CODES, code, after={"disabled": True})
        for account in accounts:
            audit_log.append(
                w, audit, OperatorAction.DISABLE_CODES, account, after={"disabled": "every code of the account"}
            )
        invites.disable(w, codes, accounts)

    await registry.db.write(work)


async def create_codes(
    registry: Registry, audit: AuditContext, accounts: list[str], *, codes: int, uses: int, hostname: str
) -> dict[str, list[str]]:
    """Create invite codes for each of these accounts (``admin``: for the host), and return them by account. Raises
    Forbidden.

    The audit log has only the accounts and the numbers, because anyone with a code can create an account.
    """

    def work(w: Writer) -> dict[str, list[str]]:
        for account in accounts:
            audit_log.append(w, audit, OperatorAction.CREATE_CODES, account, after={"codes": codes, "uses": uses})
        return invites.create_many(w, hostname, accounts, codes=codes, uses=uses, created_by=audit.by.name)

    return await registry.db.write(work)


def note_creation(audit: AuditContext, w: Writer, did: Did) -> None:
    """Log the creation of an account by an operator. Raises Forbidden."""
    audit_log.append(w, audit, OperatorAction.CREATE_ACCOUNT, did, after={"status": "active"})


async def change_email(registry: Registry, audit: AuditContext, did: Did, new_email: str) -> None:
    """Set a new, unconfirmed address. Tokens sent to the old one become invalid.

    Raises InvalidInput, NotFound, Refused and Forbidden. The required role is high, because a password reset sent to
    the new address gives access to the account.
    """
    try:
        email = parse_address(new_email).lower()
    except ValueError as error:
        raise InvalidInput("email", str(error)) from None

    def work(w: Writer) -> None:
        _require(w, did)
        audit_log.append(w, audit, OperatorAction.CHANGE_EMAIL, did, after=_CHANGED)
        email_changes.replace_email(w, registry, did, email)

    try:
        await registry.db.write(work)
    except UniqueViolated:
        raise email_taken() from None


async def change_handle(registry: Registry, audit: AuditContext, did: Did, new_handle: str) -> None:
    """Change the handle, in the directory and on this server. As in the reference server, operators may also give names
    that are reserved or offensive. Raises what ``handle_change.rename`` raises, NotFound, Forbidden.
    """
    audit.by.require(OperatorAction.CHANGE_HANDLE)
    async with registry.db.reader() as reader:
        account = await queries.find(reader, did)
    if account is None:
        raise account_absent()

    def note(w: Writer, before: str, after: str) -> None:
        audit_log.append(
            w, audit, OperatorAction.CHANGE_HANDLE, did, before={"handle": before}, after={"handle": after}
        )

    await handle_change.rename(registry, did, new_handle, note, allow_any_valid=True)


async def set_password(registry: Registry, audit: AuditContext, did: Did, password: str) -> None:
    """Set a new password, and end everything that was opened or requested with the old one. Raises InvalidInput,
    NotFound, Forbidden.
    """
    audit.by.require(OperatorAction.SET_PASSWORD)
    registry.passwords.require_acceptable(password)
    password_hash = await registry.passwords.hash(password)

    def work(w: Writer) -> None:
        _require(w, did)
        audit_log.append(w, audit, OperatorAction.SET_PASSWORD, did, after=_CHANGED)
        password_reset.replace_password(w, registry, did, password_hash)

    await registry.db.write(work)


async def change_signing_key(registry: Registry, audit: AuditContext, did: Did, key: str) -> None:
    """Set a new signing key. It must be one that this server reserved for the account (``reserveSigningKey``), because
    this server needs the private key.

    Raises what ``signing_key_change.change`` raises, Refused for any other key, Forbidden.
    """
    audit.by.require(OperatorAction.CHANGE_SIGNING_KEY)
    reserved = await registry.repositories.keys.reserved_as(key, did)
    if reserved is None:
        why = "This server can only sign with a key that it has: reserve one first (reserveSigningKey, without a DID)."
        raise Refused(why, name="InvalidRequest")

    def note(w: Writer, before: str, after: str) -> None:
        audit_log.append(w, audit, OperatorAction.CHANGE_SIGNING_KEY, did, before={"key": before}, after={"key": after})

    await signing_key_change.change(registry, did, reserved, note)


async def send_reset(registry: Registry, audit: AuditContext, did: Did) -> None:
    """Enqueue the password reset e-mail. Raises NotFound, and Refused if the account has no address or the server sends
    no e-mail.
    """
    audit.by.require(OperatorAction.SEND_RESET)
    await require_reachable(registry, did)
    async with registry.db.transaction() as tx:
        await email_tokens.enqueue_token(tx, registry.email_tokens, did, TokenPurpose.RESET_PASSWORD, by_operator=True)
        await audit_log.append_to(tx, audit, OperatorAction.SEND_RESET, did)


async def set_quota(registry: Registry, audit: AuditContext, did: Did, max_bytes: int | None) -> None:
    """Set the account's storage quota; None restores the default. Raises NotFound, Forbidden."""

    def work(w: Writer) -> None:
        _require(w, did)
        audit_log.append(w, audit, OperatorAction.SET_QUOTA, did, after={"max_bytes": max_bytes})
        quotas.set_quota(w, did, max_bytes)

    await registry.db.write(work)


async def delete(registry: Registry, audit: AuditContext, did: Did) -> None:
    """Delete an account permanently, with all its data on this server. Raises NotFound, Forbidden."""

    def note(w: Writer) -> None:
        _require(w, did)
        audit_log.append(w, audit, OperatorAction.DELETE, did, after={"status": "deleted"})

    await deletion.delete_by_host(registry, did, note)


def _require(w: Writer, did: Did) -> None:
    if w.fetch_one(_EXISTS, did=did) is None:
        raise account_absent()


async def require_reachable(registry: Registry, did: Did) -> None:
    """Raise NotFound for an unknown account, Refused if it has no e-mail address or the server sends no e-mail."""
    registry.require_mail()
    async with registry.db.reader() as reader:
        account = await queries.find(reader, did)
    if account is None:
        raise account_absent()
    if account.email is None:
        raise Refused(gettext_noop("This account has no e-mail address."), name="InvalidRequest")


def account_absent() -> NotFound:
    """The error for an account that is not on this server."""
    return NotFound(gettext_noop("There’s no such account on this server."), name="NotFound")
