"""Making an account: one DID, one repository, one row, one session, or nothing.

Order: check everything that can be checked → hash the password → sign the genesis operation → store it as intended → send
it → make repository, account, invite use, keys and session in one transaction that announces them. What fails after the
directory has accepted is undone there, now or at the next start.
"""

import asyncio
import contextlib
import secrets
from dataclasses import dataclass

from at_protocol.crypto.did_key import parse_did_key
from at_protocol.crypto.k256 import PrivateKey
from at_protocol.failures import Malformed
from at_protocol.identity import plc_operation
from at_protocol.identity.plc_operation import Operation
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts import invites, queries, sessions
from aurora_locus.accounts.model import TokenPair
from aurora_locus.accounts.passwords import require_acceptable
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity import plc_updates
from aurora_locus.identity.handles import require_registrable, taken
from aurora_locus.repository import hosting
from aurora_locus.repository.model import Status
from groundwork.database.transaction import UniqueViolated, Writer
from groundwork.errors import InvalidInput, Refused, RemoteFailed, RemoteSlow
from groundwork.mail.address import parse_address


@dataclass(frozen=True, slots=True)
class Wish:
    """What a new account asks for; ``password`` and ``email`` as typed."""

    handle: str
    email: str | None
    password: str | None
    invite_code: str | None = None
    recovery_key: str | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A new account with its first session."""

    did: Did
    handle: Handle
    tokens: TokenPair


async def create(registry: Registry, wish: Wish) -> Made:
    """Make an account with a new did:plc. Raises InvalidInput or Refused with the Lexicons' names; see the module."""
    handle = require_registrable(wish.handle, registry.handle_domains, is_development=registry.is_development)
    email = _email(wish.email)
    if wish.password is None:
        raise InvalidInput("password", "Choose a password.", name="InvalidPassword")
    require_acceptable(wish.password)
    if registry.needs_invite and not wish.invite_code:
        raise Refused(
            "This server takes new accounts by invitation: an invite code is needed.", name="InvalidInviteCode"
        )
    recovery = None
    if wish.recovery_key is not None:
        try:
            recovery = parse_did_key(wish.recovery_key)
        except Malformed as error:
            raise InvalidInput("recoveryKey", f"The recovery key is not a did:key: {error.why}.") from error
        if recovery == registry.rotation_key.public:
            raise InvalidInput("recoveryKey", "The recovery key is this server's own; give one that you hold.")
    await _require_free(registry, handle, email, wish.invite_code if registry.needs_invite else None)

    password_hash = await registry.passwords.hash(wish.password)
    signing = PrivateKey.from_bytes(secrets.token_bytes(32))
    operation = plc_updates.genesis(
        rotation_key=registry.rotation_key,
        recovery=recovery,
        signing=signing.public,
        handle=handle,
        pds=registry.url,
    )
    did = plc_operation.did_of(operation)
    making = asyncio.create_task(_make(registry, wish, handle, email, password_hash, signing, operation))
    try:
        return Made(did, handle, await asyncio.shield(making))
    except asyncio.CancelledError:
        # Who asked is gone. What has begun is still ended properly: stopped in the middle, nobody would know which of
        # directory and database has the account.
        with contextlib.suppress(Exception):
            await making
        raise


async def _make(
    registry: Registry,
    wish: Wish,
    handle: Handle,
    email: str,
    password_hash: str,
    signing: PrivateKey,
    operation: Operation,
) -> TokenPair:
    did = plc_operation.did_of(operation)
    await plc_updates.intend(registry.db, did, operation)
    try:
        await registry.directory.submit(did, operation)
    except (RemoteFailed, RemoteSlow):
        # The directory is in trouble and need not be asked again now: `plc_updates.mend` looks later.
        raise
    except Exception:
        await plc_updates.give_up(registry.db, registry.directory, registry.rotation_key, did, operation)
        raise
    try:
        return await _store(registry, wish, handle, email, password_hash, signing, operation)
    except Exception:
        await plc_updates.give_up(registry.db, registry.directory, registry.rotation_key, did, operation)
        raise


async def _store(
    registry: Registry,
    wish: Wish,
    handle: Handle,
    email: str,
    password_hash: str,
    signing: PrivateKey,
    operation: Operation,
) -> TokenPair:
    did = plc_operation.did_of(operation)
    beginning = hosting.begin(registry.repositories, did, signing)

    def work(w: Writer) -> TokenPair:
        queries.require_not_kept(w, handle, did)
        hosting.create(w, beginning, Status.ACTIVE)
        queries.insert(w, did, handle, email=email, password_hash=password_hash, deactivated_at=None)
        if registry.needs_invite:
            invites.use(w, wish.invite_code or "", did)
        registry.repositories.keys.make_current(w, did, signing)
        plc_updates.settle(w, did, operation)
        tokens = sessions.open_session(w, registry.tokens, did)
        hosting.announce_creation(w, registry.repositories, handle, beginning)
        return tokens

    try:
        return await registry.db.write(work)
    except UniqueViolated as violated:
        raise (_email_taken() if "email" in violated.constraint else taken()) from violated


async def _require_free(registry: Registry, handle: Handle, email: str, invite_code: str | None) -> None:
    """Before the directory hears of it; the constraints decide again, for those who race."""
    async with registry.db.reader() as reader:
        if await queries.handle_is_taken(reader, handle, None):
            raise taken()
        if await queries.email_is_taken(reader, email):
            raise _email_taken()
        if invite_code is not None:
            await invites.require_usable(reader, invite_code)


def _email_taken() -> Refused:
    return Refused("There is an account with this e-mail address already.", name="InvalidRequest")


def _email(text: str | None) -> str:
    """The address in lower case, as it is stored and compared."""
    try:
        return parse_address(text or "").lower()
    except ValueError as error:
        raise InvalidInput("email", str(error)) from None
