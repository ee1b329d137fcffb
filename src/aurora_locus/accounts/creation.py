"""Create an account with a new identity: one DID, one repository, one row and one session, or nothing at all.

Order: check everything that can be checked → hash the password → sign the genesis operation → store it as intended →
send it → create the repository, account, invite use, keys and session in one transaction, which also announces them. If
something fails after the directory has accepted the operation, it is undone there, immediately or at the next start.

Accounts that were invited or created by the host are announced at once. With open sign-up, an account stays deactivated
until its owner confirms the e-mail address (``email_confirmation``): hidden accounts need no moderation, and relays do
not count them.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.identity import plc_operation
from at_protocol.identity.plc_operation import PlcOperation
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts import account_requests, email_confirmation, invites, queries, sessions, web_identities
from aurora_locus.accounts.account_requests import (
    AccountRequest,
    CheckedAccountRequest,
    CreatedAccount,
    UnannouncedReason,
)
from aurora_locus.accounts.identity_change import finish_even_if_cancelled
from aurora_locus.accounts.model import TokenPair
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.web_identities import of_handle
from aurora_locus.i18n.language import stated_language
from aurora_locus.identity import plc_updates
from aurora_locus.identity.handles import handle_taken, require_registrable
from aurora_locus.repository import hosting
from aurora_locus.repository.model import HostingStatus
from groundwork.clock import Instant
from groundwork.database.transaction import UniqueViolated, Writer
from groundwork.errors import Conflict, RemoteFailed, RemoteSlow


async def create(registry: Registry, request: AccountRequest, did_web: Did | None = None) -> CreatedAccount:
    """Create an account with a new did:plc, or with the did:web of its handle (``web_identities``).

    Raises InvalidInput or Refused with the error names of the Lexicons. The module docstring describes the order of
    steps.
    """
    handle = require_registrable(
        request.handle,
        registry.handle_domains,
        is_development=registry.is_development,
        reserved=registry.reserved_names,
    )
    checked_request = account_requests.check(registry, request)
    async with registry.db.reader() as reader:
        invite = await account_requests.invite_of(registry, reader, request)
        await account_requests.require_free(registry, reader, handle, checked_request.email, did_web)
        if did_web is not None:
            await web_identities.require_new(reader, did_web, handle)
    awaits = None if invite or request.by_admin or not registry.confirms_email else UnannouncedReason.CONFIRMATION

    password_hash = await registry.passwords.hash(checked_request.password)
    signing = K256PrivateKey.from_bytes(secrets.token_bytes(32))
    operation = None
    if did_web is None:
        operation = plc_updates.genesis(
            rotation_key=registry.rotation_key,
            recovery=[key for key in (checked_request.recovery, registry.operators_key) if key is not None],
            signing=signing.public,
            handle=handle,
            pds=registry.url,
        )
    did = of_handle(handle) if operation is None else plc_operation.did_of(operation)
    checked = _CheckedAccount(
        did,
        handle,
        checked_request,
        password_hash,
        invite,
        awaits,
        signing,
        operation,
        request.note,
        # An account that an operator creates gets its language when its owner signs in.
        "" if request.by_admin else stated_language(),
    )
    return CreatedAccount(did, handle, await finish_even_if_cancelled(_make(registry, checked)), awaits)


@dataclass(frozen=True, slots=True)
class _CheckedAccount:
    """An account that has passed the checks but has no rows yet. ``operation`` is the genesis operation of a did:plc."""

    did: Did
    handle: Handle
    request: CheckedAccountRequest
    password_hash: str
    invite: str | None
    awaits: UnannouncedReason | None
    signing: K256PrivateKey
    operation: PlcOperation | None
    note: Callable[[Writer, Did], None] | None
    language: str


async def _make(registry: Registry, checked: _CheckedAccount) -> TokenPair:
    if checked.operation is None:
        tokens = await _store(registry, checked)
    else:
        tokens = await _register(registry, checked, checked.operation)
    if checked.awaits is UnannouncedReason.CONFIRMATION:
        # After a crash at this point the e-mail is not sent, but requestEmailConfirmation can send it again.
        await email_confirmation.send_first_email(registry, checked.did)
    return tokens


async def _register(registry: Registry, checked: _CheckedAccount, operation: PlcOperation) -> TokenPair:
    did = checked.did
    await plc_updates.intend(registry.db, did, operation)
    try:
        await registry.directory.submit(did, operation)
    except (RemoteFailed, RemoteSlow):
        # The directory is failing, so do not call it again now; `plc_updates.repair` retries later.
        raise
    except Exception:
        await plc_updates.undo(registry.plc, did, operation)
        raise
    try:
        return await _store(registry, checked)
    except Exception:
        await plc_updates.undo(registry.plc, did, operation)
        raise


async def _store(registry: Registry, checked: _CheckedAccount) -> TokenPair:
    did = checked.did
    beginning = hosting.begin(registry.repositories, did, checked.signing)

    def work(w: Writer) -> TokenPair:
        queries.require_not_kept(w, checked.handle, did, registry.handle_quarantine)
        hosting.create(w, beginning, HostingStatus.DEACTIVATED if checked.awaits else HostingStatus.ACTIVE)
        queries.insert(
            w,
            did,
            checked.handle,
            email=checked.request.email,
            password_hash=checked.password_hash,
            recovery_key=checked.request.recovery_key,
        )
        if checked.awaits is not None:
            queries.set_awaiting(w, did, checked.awaits.value, Instant(w.now + email_confirmation.PATIENCE))
        if checked.invite is not None:
            invites.use(w, checked.invite, did)
        queries.set_language(w, did, checked.language)
        registry.repositories.keys.make_current(w, did, checked.signing)
        if checked.operation is not None:
            plc_updates.mark_applied(w, did, checked.operation)
        tokens = sessions.open_session(w, registry.tokens, did)
        if checked.note is not None:
            checked.note(w, did)
        if checked.awaits is None:
            hosting.announce_creation(w, registry.repositories, checked.handle, beginning)
        return tokens

    try:
        return await registry.db.write(work)
    except UniqueViolated as lost:
        raise account_requests.lost_race(lost.constraint) from lost
    except Conflict as lost:
        # A concurrent request has signed up with this did:web, so the handle in its name is taken.
        raise handle_taken() from lost
