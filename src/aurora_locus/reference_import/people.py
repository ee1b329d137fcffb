"""Import of ``account.sqlite``: accounts, credentials and invite codes, as rows of our tables."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from at_protocol.syntax.did import Did, parse_did
from aurora_locus.accounts.email_tokens import EmailTokens, TokenPurpose
from aurora_locus.accounts.session_tokens import REFRESH_LIFETIME
from aurora_locus.reference_import.old_folder import instant, maybe_instant
from aurora_locus.repository.model import HostingStatus
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Writer

# The reference PDS stores when a deactivated account may be deleted, and deletes none. So nobody expects it when the
# server changes, and operators can still go back.
KEPT_AFTER_IMPORT = 30 * DAY

_PEOPLE = """
    select r.did, r.handle, r.createdAt, r.takedownRef, r.deactivatedAt, r.deleteAfter,
           a.email, a.passwordScrypt, a.emailConfirmedAt, coalesce(a.invitesDisabled, 0) as invitesDisabled,
           p.cid, p.rev
      from actor r left join account a on a.did = r.did left join repo_root p on p.did = r.did
     order by r.createdAt, r.did
"""
_APP_PASSWORDS = "select name, passwordScrypt, createdAt, privileged from app_password where did = ? order by name"
_SESSIONS = "select id, expiresAt, nextId, appPasswordName from refresh_token where did = ? order by id"
_EMAIL_TOKENS = "select purpose, token, requestedAt from email_token where did = ? order by purpose"
_INVITES = "select code, availableUses, disabled, forAccount, createdBy, createdAt from invite_code order by code"
_USES = "select code, usedBy, usedAt from invite_code_use order by code, usedBy"

_INSERT_ACCOUNT = """
    insert into accounts
        (did, handle, email, email_confirmed_at, password_hash, deactivated_at, delete_after, takedown_ref,
         invites_disabled, created_at)
    values
        (:did, :handle, :email, :email_confirmed_at, :password_hash, :deactivated_at, :delete_after, :takedown_ref,
         :invites_disabled, :created_at)
"""
_INSERT_SECOND_KEY = """
    insert into app_passwords (did, name, password_hash, privileged, created_at)
    values (:did, :name, :password_hash, :privileged, :created_at)
"""
_INSERT_SESSION = """
    insert into sessions (id, did, app_password_name, next_id, expires_at, created_at)
    values (:id, :did, :app_password_name, :next_id, :expires_at, :created_at)
"""
_INSERT_EMAIL = """
    insert into email_tokens (did, purpose, token_hash, requested_at)
    values (:did, :purpose, :token_hash, :requested_at)
"""
_INSERT_INVITE = """
    insert into invite_codes (code, available_uses, disabled, for_account, created_by, created_at)
    values (:code, :available_uses, :disabled, :for_account, :created_by, :created_at)
"""
_INSERT_USE = "insert into invite_code_uses (code, used_by, used_at) values (:code, :used_by, :used_at)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceAccount:
    """An account in the old database. ``handle`` is None if the old server had none; ``commit`` is the head's CID as
    text, None if the account has no repository.
    """

    did: Did
    handle: str | None
    email: str | None
    email_confirmed_at: Instant | None
    password_hash: str | None
    created_at: Instant
    takedown_ref: str | None
    deactivated_at: Instant | None
    delete_after: Instant | None
    invites_disabled: bool
    commit: str | None
    rev: str | None

    @property
    def status(self) -> HostingStatus:
        """The account's status. The host's decision takes precedence over the owner's."""
        if self.takedown_ref is not None:
            return HostingStatus.TAKENDOWN
        return HostingStatus.ACTIVE if self.deactivated_at is None else HostingStatus.DEACTIVATED

    @property
    def new_handle(self) -> str:
        """The handle on the new server. An account without one gets a handle that does not resolve, until its owner
        chooses another.
        """
        return self.handle or f"{self.did.rpartition(':')[2].lower()}.handle.invalid"


def people(db: sqlite3.Connection) -> Iterator[ReferenceAccount]:
    """Return all accounts, oldest first. Raises Malformed for an invalid DID."""
    for row in db.execute(_PEOPLE):
        yield ReferenceAccount(
            did=parse_did(row["did"]),
            handle=None if row["handle"] is None else row["handle"].lower(),
            email=None if row["email"] is None else row["email"].lower(),
            email_confirmed_at=maybe_instant(row["emailConfirmedAt"]),
            password_hash=row["passwordScrypt"],
            created_at=instant(row["createdAt"]),
            takedown_ref=row["takedownRef"],
            deactivated_at=maybe_instant(row["deactivatedAt"]),
            delete_after=maybe_instant(row["deleteAfter"]),
            invites_disabled=bool(row["invitesDisabled"]),
            commit=row["cid"],
            rev=row["rev"],
        )


def keep_person(w: Writer, old: sqlite3.Connection, tokens: EmailTokens, person: ReferenceAccount) -> None:
    """Insert the account, its app passwords, sessions and e-mail tokens. The row of its repository must already exist.

    A deactivated account is deleted at the time that its owner set, but not within ``KEPT_AFTER_IMPORT``.
    """
    delete_after = person.delete_after
    if delete_after is not None:
        delete_after = max(delete_after, Instant(w.now + KEPT_AFTER_IMPORT))
    w.execute(
        _INSERT_ACCOUNT,
        did=person.did,
        handle=person.new_handle,
        email=person.email,
        email_confirmed_at=person.email_confirmed_at,
        password_hash=person.password_hash,
        deactivated_at=person.deactivated_at,
        delete_after=delete_after,
        takedown_ref=person.takedown_ref,
        invites_disabled=int(person.invites_disabled),
        created_at=person.created_at,
    )
    _keep(w, _INSERT_SECOND_KEY, [_app_password(person.did, row) for row in old.execute(_APP_PASSWORDS, [person.did])])
    _keep(w, _INSERT_SESSION, [_session(person.did, row) for row in old.execute(_SESSIONS, [person.did])])
    tokens_of_person = old.execute(_EMAIL_TOKENS, [person.did])
    _keep(w, _INSERT_EMAIL, [_email_token(tokens, person.did, row) for row in tokens_of_person])


def keep_invites(w: Writer, old: sqlite3.Connection) -> None:
    """Insert every code and its uses."""
    codes = [
        {
            "code": row["code"],
            "available_uses": row["availableUses"],
            "disabled": int(bool(row["disabled"])),
            "for_account": row["forAccount"],
            "created_by": row["createdBy"],
            "created_at": instant(row["createdAt"]),
        }
        for row in old.execute(_INVITES)
    ]
    uses = [
        {"code": row["code"], "used_by": row["usedBy"], "used_at": instant(row["usedAt"])} for row in old.execute(_USES)
    ]
    _keep(w, _INSERT_INVITE, codes)
    _keep(w, _INSERT_USE, uses)


def _keep(w: Writer, statement: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        w.execute_many(statement, rows)


def _app_password(did: Did, row: sqlite3.Row) -> dict[str, Any]:
    return {
        "did": did,
        "name": row["name"],
        "password_hash": row["passwordScrypt"],
        "privileged": row["privileged"],
        "created_at": instant(row["createdAt"]),
    }


def _session(did: Did, row: sqlite3.Row) -> dict[str, Any]:
    expires_at = instant(row["expiresAt"])
    return {
        "id": row["id"],
        "did": did,
        "app_password_name": row["appPasswordName"],
        "next_id": row["nextId"],
        "expires_at": expires_at,
        # The old server stored only the expiry, so the time of creation is derived from it.
        "created_at": Instant(expires_at - REFRESH_LIFETIME),
    }


def _email_token(tokens: EmailTokens, did: Did, row: sqlite3.Row) -> dict[str, Any]:
    # The purposes have the same names. The old server stored the token in plain text; only its hash is inserted.
    purpose = TokenPurpose(row["purpose"])
    return {
        "did": did,
        "purpose": purpose.value,
        "token_hash": tokens.hash(purpose, row["token"]),
        "requested_at": instant(row["requestedAt"]),
    }
