"""Migration of a did:web that this server serves. No directory is involved, because we serve the document ourselves.

In place of the signed operation of a did:plc, the same column holds the destination until the last step.
"""

from collections.abc import Mapping

import msgspec

from at_protocol.crypto.did_key import parse_did_key
from at_protocol.failures import Malformed
from at_protocol.identity.did_document import ATPROTO_KEY, PDS_SERVICE
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import parse_handle
from aurora_locus.account_migration import moves
from aurora_locus.account_migration.moves import AccountMove
from aurora_locus.accounts import activation, email_tokens, web_identities
from aurora_locus.accounts.email_tokens import TokenPurpose, TokenVerdict, require_token
from aurora_locus.accounts.model import Account
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.web_identities import NewServer
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.sequencer import log
from groundwork.database.transaction import Writer
from groundwork.errors import Refused, RemoteFailed


def destination_of(move: AccountMove, recommended: Mapping[str, object]) -> NewServer:
    """Return the DID document fields that the other server requires. Raises RemoteFailed if some are missing."""
    services, methods = recommended.get("services"), recommended.get("verificationMethods")
    service = services.get(PDS_SERVICE) if isinstance(services, dict) else None
    endpoint = service.get("endpoint") if isinstance(service, dict) else None
    key = methods.get(ATPROTO_KEY) if isinstance(methods, dict) else None
    try:
        parse_did_key(str(key))
    except Malformed:
        raise RemoteFailed(f"{move.target} does not say which signing key it uses.") from None
    if not isinstance(endpoint, str) or not endpoint.startswith(("https://", "http://")):
        raise RemoteFailed(f"{move.target} does not say where the account will be.")
    return NewServer(pds=endpoint.rstrip("/"), signing_key=str(key), handle=str(parse_handle(move.handle)))


async def spend_code(registry: Registry, did: Did, token: str | None) -> None:
    """Consume the e-mailed code for the last step of a migration. Raises InvalidInput (``TokenRequired``) or
    NotSignedIn, and Refused if the migration was cancelled; the code is then still valid.
    """
    code = require_token(token)

    def spend(w: Writer) -> TokenVerdict:
        moves.require_waiting(w, did)
        return email_tokens.spend(w, registry.email_tokens, did, TokenPurpose.PLC_OPERATION, code)

    email_tokens.require_valid(await registry.db.write(spend))


async def come_back(registry: Registry, account: Account, token: str | None) -> None:
    """Let an account that has moved away be on this server again, with the e-mailed code. Its data must have been copied
    back before. Raises Refused if it has not moved away, InvalidInput (``TokenRequired``) or NotSignedIn for the code,
    and what ``activation.activate`` raises; the code is then still valid.
    """
    if not await has_moved_away(registry, account.did):
        raise Refused(gettext_noop("Your account is already on this server."))
    code = require_token(token)

    def work(w: Writer) -> TokenVerdict:
        verdict = email_tokens.spend(w, registry.email_tokens, account.did, TokenPurpose.PLC_OPERATION, code)
        if verdict is TokenVerdict.GOOD:
            activation.return_here(w, registry, account)
        return verdict

    email_tokens.require_valid(await registry.db.write(work))
    registry.network.recheck_did(account.did)


async def has_moved_away(registry: Registry, did: Did) -> bool:
    """Whether we serve the document of this identity, and it names another server."""
    if not web_identities.is_ours(registry, did):
        return False
    async with registry.db.reader() as reader:
        return await web_identities.destination_of(reader, did) is not None


def encode_destination(new_server: NewServer) -> str:
    """Encode the destination for the ``moves`` row."""
    return msgspec.json.encode(new_server).decode()


async def names_destination(registry: Registry, move: AccountMove) -> bool:
    """Whether the document already names the other server."""
    async with registry.db.reader() as reader:
        return await web_identities.destination_of(reader, move.did) == _decode_destination(move)


async def name_destination(registry: Registry, move: AccountMove) -> None:
    """Write the other server into the DID document of a did:web that we host, and announce the change."""
    new_server = _decode_destination(move)

    def work(w: Writer) -> None:
        web_identities.point_elsewhere(w, move.did, new_server)
        log.append_identity(w, registry.repositories.live, move.did, parse_handle(new_server.handle))

    await registry.db.write(work)


def _decode_destination(move: AccountMove) -> NewServer:
    return msgspec.json.decode(move.operation or "{}", type=NewServer)
