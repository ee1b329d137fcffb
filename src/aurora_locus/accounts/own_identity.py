"""Identity changes by the account's owner: read, sign, submit and announce operations."""

from collections.abc import Callable, Mapping
from typing import Any

from at_network.identity_resolver import IdentityResolver
from at_protocol.crypto.did_key import format_did_key
from at_protocol.identity import plc_operation
from at_protocol.identity.plc_operation import PlcOperation
from at_protocol.syntax.did import Did, is_plc
from aurora_locus.accounts import email_tokens, queries
from aurora_locus.accounts.account_requests import UnannouncedReason
from aurora_locus.accounts.email_tokens import TokenPurpose, TokenVerdict, require_token
from aurora_locus.accounts.identity_change import finish_even_if_cancelled
from aurora_locus.accounts.model import Account
from aurora_locus.accounts.registry import Registry
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.identity.plc_requests import Hosting, require_hosting_kept, signed_change
from aurora_locus.identity.plc_updates import newest_operation
from aurora_locus.sequencer import log
from groundwork.database.transaction import PlainReader, Writer
from groundwork.errors import Refused


async def hosting_of(registry: Registry, account: Account) -> Hosting:
    """Return the identity fields that this server requires of an account that it hosts."""
    key = await registry.repositories.keys.signing_key(account.did)
    operators = registry.operators_key
    recovery = [] if account.recovery_key is None else [account.recovery_key]
    if operators is not None:
        recovery.append(format_did_key(operators))
    return Hosting(registry.rotation_key.public, key.public, account.handle, registry.url, recovery)


def require_plc(did: Did) -> None:
    """Raise Refused for identities without operations. Owners of a did:web edit their document themselves."""
    if not is_plc(did):
        raise Refused(
            gettext_noop("This only works for did:plc identities. Change yours where its document is hosted.")
        )


async def signed(
    registry: Registry,
    did: Did,
    changes: Mapping[str, Any],
    token: str | None,
    *,
    require_needed: Callable[[PlainReader], None] = lambda _reader: None,
) -> PlcOperation:
    """Return the operation that changes these fields, signed with the server's rotation key. Consumes the e-mailed
    token.

    The token is consumed last, so that a refused request does not use it up. ``require_needed`` is called before that,
    in the same transaction, and raises if the operation is no longer needed. Raises InvalidInput, NotSignedIn for the
    token, Refused if this server cannot sign the change.
    """
    require_plc(did)
    # The Lexicon of signPlcOperation defines no error name for this.
    code = require_token(token, missing="InvalidRequest")
    present = await newest_operation(registry.directory, did)
    operation = signed_change(present.operation, present.cid, changes, registry.rotation_key)

    def spend(w: Writer) -> TokenVerdict:
        require_needed(w)
        return email_tokens.spend(w, registry.email_tokens, did, TokenPurpose.PLC_OPERATION, code)

    email_tokens.require_valid(await registry.db.write(spend))
    return operation


async def submit(registry: Registry, network: IdentityResolver, did: Did, operation: PlcOperation) -> None:
    """Submit an operation to the directory, if the account still works on this server after it, and announce the
    identity if the network knows it.

    If the directory already has the operation, only announce it. Raises Refused, naming every reason why the account
    would not work, and the directory's errors.
    """
    require_plc(did)
    await finish_even_if_cancelled(_submit(registry, network, did, operation))


async def _submit(registry: Registry, network: IdentityResolver, did: Did, operation: PlcOperation) -> None:
    # The handle must not change between this check and the submission.
    async with registry.renames.hold(did):
        account = await queries.require_account(registry.db, did)
        require_hosting_kept(operation, await hosting_of(registry, account))
        if (await newest_operation(registry.directory, did)).cid != plc_operation.cid_of(operation):
            await registry.directory.submit(did, operation)
        network.recheck_did(did)
        await registry.db.write(lambda w: _announce(w, registry, did))


def _announce(w: Writer, registry: Registry, did: Did) -> None:
    """Announce the identity, unless the network does not know it yet because its owner has not confirmed the e-mail
    address.
    """
    account = queries.waiting(w, did)
    if account is None or account.awaits != UnannouncedReason.CONFIRMATION:
        # The event contains no handle, as in the reference server: consumers resolve the handle that the operation
        # names.
        log.append_identity(w, registry.repositories.live, did, None)
