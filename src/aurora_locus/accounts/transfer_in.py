"""Create an account for an existing identity: incoming migrations, and accounts with their own did:web.

The request is signed with the identity's own key (a service token): by the old server for its user, or by users with
their own key if that server is gone. The identity is not changed. The account stays deactivated, with its own signing
key, until the identity names this server (``activation``). An unfinished account is removed after three days; it was
never announced.
"""

import secrets

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, supported_method
from aurora_locus.accounts import account_requests, handle_change, hosting_status, invites, queries, sessions
from aurora_locus.accounts.account_requests import AccountRequest, CreatedAccount, UnannouncedReason
from aurora_locus.accounts.model import TokenPair
from aurora_locus.accounts.registry import Registry
from aurora_locus.repository import hosting
from aurora_locus.repository.model import HostingStatus
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, UniqueViolated, Writer
from groundwork.errors import Conflict, InvalidInput, NotFound, Refused

# The same time as in the reference server, and the time within which the directory lets an operation be undone.
PATIENCE = 3 * DAY


async def create_for_existing_identity(registry: Registry, did: Did, request: AccountRequest) -> CreatedAccount:
    """Create a deactivated account for this DID, at the request of its holder.

    Raises Refused: ``UnresolvableDid``, ``IncompatibleDidDoc``; ``AlreadyExists`` if this server already has the
    account, finished or not. Also raises what every sign-up raises (``account_requests``, ``identity.handles``).
    """
    _require_supported(did)
    async with registry.db.reader() as reader:
        await _require_not_hosted(reader, did)
    checked_request = account_requests.check(registry, request)
    await _require_usable(registry, did)
    handle = await handle_change.require_own(registry, did, request.handle)
    async with registry.db.reader() as reader:
        # A concurrent request for this DID may have finished in the meantime; it would then have the handle, the
        # address and the invite.
        await _require_not_hosted(reader, did)
        invite = await account_requests.invite_of(registry, reader, request)
        await account_requests.require_free(registry, reader, handle, checked_request.email, did)
    password_hash = await registry.passwords.hash(checked_request.password)
    keys = registry.repositories.keys
    # A client that reserved a key may have already named it in the identity.
    signing = await keys.reserved_key(did) or K256PrivateKey.from_bytes(secrets.token_bytes(32))
    beginning = hosting.begin(registry.repositories, did, signing)

    def work(w: Writer) -> TokenPair:
        queries.require_not_kept(w, handle, did, registry.handle_quarantine)
        hosting.create(w, beginning, HostingStatus.DEACTIVATED)
        queries.insert(
            w,
            did,
            handle,
            email=checked_request.email,
            password_hash=password_hash,
            recovery_key=checked_request.recovery_key,
        )
        queries.set_awaiting(w, did, UnannouncedReason.MOVE.value, Instant(w.now + PATIENCE))
        if invite is not None:
            invites.use(w, invite, did)
        keys.make_current(w, did, signing)
        w.after_commit(lambda: registry.repositories.forget_head(did))
        return sessions.open_session(w, registry.tokens, did)

    try:
        return CreatedAccount(did, handle, await registry.db.write(work), UnannouncedReason.MOVE)
    except UniqueViolated as lost:
        raise account_requests.lost_race(lost.constraint) from lost
    except Conflict as first:
        # A concurrent request for this DID came first. The transaction creates the repository before anything else that
        # must be unique, so this is noticed before a handle or an address that the other request took.
        async with registry.db.reader() as reader:
            await _require_not_hosted(reader, did)
        raise _already_hosted(is_unfinished=True) from first


async def _require_not_hosted(reader: Reader, did: Did) -> None:
    account = await queries.find(reader, did)
    if account is not None and account.status is not HostingStatus.DELETED:
        raise _already_hosted(is_unfinished=account.awaits == UnannouncedReason.MOVE)


def _already_hosted(*, is_unfinished: bool) -> Refused:
    if is_unfinished:
        why = (
            "This account is already here, from a move that was not finished. "
            "Sign in with the password that it was given then (createSession), and go on."
        )
    else:
        why = "This account is already here. Sign in with its password (createSession)."
    return Refused(why, name="AlreadyExists")


def _require_supported(did: Did) -> None:
    try:
        supported_method(did)
    except Malformed as error:
        raise Refused(f"An account cannot have this DID: {error.why}.", name="IncompatibleDidDoc") from None


async def _require_usable(registry: Registry, did: Did) -> None:
    """Resolve the identity again, because the token may have been verified against a cached document."""
    try:
        claim = await hosting_status.claim_of(registry, did)
    except (NotFound, InvalidInput) as absent:
        name = "IncompatibleDidDoc" if absent.name == "DidDeactivated" else "UnresolvableDid"
        raise Refused(f"The identity cannot be moved here. {absent.why}", name=name) from None
    except Refused as ended:
        raise Refused(f"The identity cannot be moved here. {ended.why}", name="IncompatibleDidDoc") from None
    if claim.signing_key is None:
        raise Refused("The identity has no readable signing key.", name="IncompatibleDidDoc")
