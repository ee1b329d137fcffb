"""Permanent deletion. Only the DID, marked as deleted, and the handle, reserved for a while, remain.

The identity in the directory belongs to the person and is not changed. The exception is an account that was never
announced: if only this server holds keys of its identity, the identity is ended too. One transaction removes all rows,
so a deletion is never half done. The blob files are removed after the commit; no two accounts share a file. Afterwards
SQLite's write-ahead log is truncated, because it still holds older versions of the pages.
"""

from collections.abc import Callable

from at_protocol.syntax.did import Did
from aurora_locus.accounts import email_tokens, invites, password_guesses, queries, sessions
from aurora_locus.accounts.account_requests import UnannouncedReason
from aurora_locus.accounts.email_tokens import TokenPurpose, TokenVerdict
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.sign_in_source import SignInSource
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.identity import plc_updates
from aurora_locus.repository import hosting
from groundwork.clock import Instant
from groundwork.database.deleted_pages import discard_deleted
from groundwork.database.transaction import Writer
from groundwork.errors import NotSignedIn
from groundwork.isolation import each_alone


async def delete_own(registry: Registry, did: Did, password: str, token: str, source: SignInSource) -> None:
    """Delete an account for its owner, who presents the account's own password and a token. Raises NotSignedIn for
    either, and if the host has taken the account down or suspended it, because the host may need what is in it
    (``AccountTakedown``); and GuessesUsedUp.
    """
    proof = await password_guesses.verify_password(registry, did, password, source)
    if proof.app_password is not None:
        raise sessions.not_proven()

    def work(w: Writer) -> TokenVerdict:
        if queries.host_decision(w, did) is not None:
            raise NotSignedIn(gettext_noop("This account has been taken down."), name="AccountTakedown")
        verdict = email_tokens.spend(w, registry.email_tokens, did, TokenPurpose.DELETE_ACCOUNT, token)
        if verdict is TokenVerdict.GOOD:
            _remove(w, registry, did)
        return verdict

    async with registry.repositories.locks.hold(did):
        email_tokens.require_valid(await registry.db.write(work))
    await discard_deleted(registry.db)


async def delete_by_host(registry: Registry, did: Did, note: Callable[[Writer], None]) -> None:
    """Delete an account for the host. ``note`` runs first in the transaction, and its failure aborts the deletion."""

    def work(w: Writer) -> None:
        note(w)
        _remove(w, registry, did)

    async with registry.repositories.locks.hold(did):
        await registry.db.write(work)
    await discard_deleted(registry.db)


async def delete_forgotten(registry: Registry) -> int:
    """Delete accounts whose owners deactivated them with a deadline that has passed, except those that the host has
    taken down or suspended. Return how many.
    """
    async with registry.db.reader() as reader:
        due = await queries.to_delete(reader, reader.now)

    async def delete(did: Did) -> int:
        async with registry.repositories.locks.hold(did):
            return await registry.db.write(lambda w: _remove_if_due(w, registry, did))

    return await each_alone("deletions", due, delete)


def _remove_if_due(w: Writer, registry: Registry, did: Did) -> bool:
    # The owner may have reactivated the account since the list was read.
    if not queries.is_to_delete(w, did, Instant(w.now)):
        return False
    _remove(w, registry, did)
    return True


def _remove(w: Writer, registry: Registry, did: Did) -> None:
    repositories = registry.repositories
    waiting = queries.waiting(w, did)
    if waiting is not None and waiting.awaits == UnannouncedReason.CONFIRMATION:
        plc_updates.end_own(w, did, registry.own_keys)
    queries.remove(w, did)
    password_guesses.forget(w, did)
    invites.disable_of(w, did)
    plc_updates.forget_applied(w, did)
    repositories.keys.remove(w, did)
    if waiting is not None:
        hosting.remove_unannounced(w, repositories, did)
    else:
        # This must be the last call, because it announces the deletion.
        hosting.remove(w, repositories, did)
