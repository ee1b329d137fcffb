"""The owner's actions on a migration: start it, enter the code, retry, cancel."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from at_network.bearer_session import BearerSession, BearerTokens, FixedToken, create_session
from at_network.migration.servers import describe
from at_network.xrpc_client import XrpcClient
from at_protocol.crypto.did_key import format_did_key
from at_protocol.identity import plc_operation
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from aurora_locus.account_migration import moves, web_moves
from aurora_locus.account_migration.moves import MoveReason, MoveStage
from aurora_locus.accounts import own_identity, queries, service_tokens, web_identities
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.service_tokens import CREATE_ACCOUNT, ServiceTokenRequest
from aurora_locus.i18n.sentences import gettext_noop, localizable
from aurora_locus.identity.plc_requests import parse_submitted
from aurora_locus.identity.plc_updates import newest_operation
from aurora_locus.jobs import PdsJobKind
from aurora_locus.repository import hosting
from groundwork.database.transaction import Writer
from groundwork.errors import Failure, InvalidInput, NotFound, NotSignedIn, Refused, RemoteFailed
from groundwork.http.client import HttpClient
from groundwork.outbox import jobs
from groundwork.sealing import Sealer

# The other server hashes a password and creates a repository before it responds.
PATIENCE_SECONDS = 30.0
_IN_LAST_STEP = gettext_noop("Your move is in its last step. Check again in a minute.")


@dataclass(frozen=True, slots=True)
class MigrationContext:
    """Dependencies of outgoing migrations."""

    registry: Registry
    http: HttpClient
    sealer: Sealer


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRequest:
    """The account to create on the other server."""

    target: str
    handle: str
    email: str
    password: str
    invite_code: str = ""


async def begin(context: MigrationContext, did: Did, request: MoveRequest) -> None:
    """Create the hidden account on the other server, or sign in to it if it already exists, and enqueue the copy.

    Raises InvalidInput for a form field (``target``, ``handle``, ``email``, ``password``), Refused, and the errors that
    the other server returns; RemoteFailed and RemoteSlow if it does not respond.
    """
    if not web_identities.is_ours(context.registry, did):
        own_identity.require_plc(did)
    target = _origin(request.target, is_development=context.registry.is_development)
    if target == context.registry.url:
        raise InvalidInput("target", gettext_noop("Your account is already on this server."))
    if not request.password:
        raise InvalidInput("password", gettext_noop("Choose a password for the other server."))
    tokens = await _sign_in_or_create(context, did, target, request)
    async with context.registry.db.transaction() as tx:
        earlier = await jobs.find(tx, PdsJobKind.MOVE, did)
        # Revisions continue from an earlier migration, because the outbox does not enqueue a completed revision again.
        revision = 1 if earlier is None else earlier.revision + 1
        if not await moves.begin(
            tx, context.sealer, did, revision, target=target, handle=request.handle, tokens=tokens
        ):
            raise Refused(_IN_LAST_STEP)
        await jobs.enqueue(tx, PdsJobKind.MOVE, did, revision)


async def finish(context: MigrationContext, did: Did, token: str | None) -> None:
    """Sign the operation that names the other server and enqueue the remaining steps. Consumes the e-mailed code.

    For a did:web that we serve, store the new content of its document instead. The owner's own keys stay, and keep
    their rank. Raises Refused if not everything has been copied, InvalidInput (``TokenRequired``) or NotSignedIn for
    the code, and the errors that the other server returns.
    """
    registry = context.registry
    async with registry.db.reader() as reader:
        move = await moves.find(reader, did)
    if move is None or move.stage is not MoveStage.WAITING:
        raise Refused(gettext_noop("Not everything has been copied yet."))
    recommended = await (await client(context, move.did, move.target)).query(
        "com.atproto.identity.getRecommendedDidCredentials"
    )
    if web_identities.is_ours(registry, did):
        destination = web_moves.destination_of(move, recommended)
        await web_moves.spend_code(registry, did, token)
        await _signed(context, did, web_moves.encode_destination(destination))
        return
    present = (await newest_operation(registry.directory, did)).operation
    server_key = format_did_key(registry.rotation_key.public)
    new_server_keys = recommended.get("rotationKeys")
    if not isinstance(new_server_keys, list) or not new_server_keys:
        raise RemoteFailed(f"{move.target} does not say what the identity should contain.")
    owner_keys = [key for key in present.rotation_keys if key != server_key and key not in new_server_keys]
    names = ("alsoKnownAs", "verificationMethods", "services")
    changes = {
        **{name: recommended[name] for name in names if name in recommended},
        "rotationKeys": [*owner_keys, *new_server_keys],
    }
    operation = await own_identity.signed(
        registry, did, changes, token, require_needed=lambda reader: moves.require_waiting(reader, did)
    )
    await _signed(context, did, msgspec.json.encode(plc_operation.to_json(operation)).decode())


async def _signed(context: MigrationContext, did: Did, document: str) -> None:
    """Store the operation or document that the last step will publish, and enqueue that step. Raises Refused if the
    migration was cancelled.
    """
    async with context.registry.db.transaction() as tx:
        revision = await moves.store_signed_operation(tx, did, document)
        if revision is None:
            raise moves.cancelled()
        await jobs.enqueue(tx, PdsJobKind.MOVE, did, revision)


async def try_again(context: MigrationContext, did: Did) -> None:
    """Retry the step of the migration that failed."""
    async with context.registry.db.transaction() as tx:
        revision = await moves.raise_revision(tx, did)
        if revision is not None:
            await jobs.enqueue(tx, PdsJobKind.MOVE, did, revision)


async def cancel(context: MigrationContext, did: Did) -> None:
    """Cancel the migration. Nothing changes on this server. The hidden account on the other server is left for that
    server to remove.

    Raises Refused while the last step is running, and if it is too late because the directory already has the operation.
    """
    async with context.registry.db.reader() as reader:
        move = await moves.find(reader, did)
    if move is None:
        return
    if move.stage is MoveStage.FINISHING and not move.problem:
        raise Refused(_IN_LAST_STEP)
    if move.stage is MoveStage.FINISHING and web_identities.is_ours(context.registry, did):
        if await web_moves.names_destination(context.registry, move):
            raise Refused(
                gettext_noop("Your name already points to the other server. The move can’t be stopped any more.")
            )
    elif move.stage is MoveStage.FINISHING:
        operation = parse_submitted(msgspec.json.decode(move.operation or "{}"))
        if (await newest_operation(context.registry.directory, did)).cid == plc_operation.cid_of(operation):
            raise Refused(
                gettext_noop("Your name already points to the other server. The move can’t be stopped any more.")
            )

    def delete_and_accept_writes(w: Writer) -> None:
        if not moves.delete(w, move):
            raise Refused(gettext_noop("The move has continued in the meantime. See where it is now."))
        if move.stage is MoveStage.FINISHING:
            # The last step refuses writes before the identity changes (``handler``).
            queries.set_moved(w, did, None)
            hosting.set_frozen(w, context.registry.repositories, did, is_frozen=False)

    await context.registry.db.write(delete_and_accept_writes)


async def client(
    context: MigrationContext, did: Did, target: str, *, timeout_seconds: float = PATIENCE_SECONDS
) -> XrpcClient:
    """Create a client for the other server with the stored session. Raises NotFound if no session is stored."""
    from_row = await _tokens(context, did)

    async def keep(new_tokens: BearerTokens) -> None:
        async with context.registry.db.transaction() as tx:
            await moves.keep_tokens(tx, context.sealer, new_tokens)

    session = BearerSession(context.http, context.registry.clock, target, from_row, keep=keep)
    return XrpcClient(
        context.http, context.registry.clock, target, credentials=session, timeout_seconds=timeout_seconds
    )


async def _tokens(context: MigrationContext, did: Did) -> BearerTokens:
    async with context.registry.db.reader() as reader:
        tokens = await moves.tokens(reader, context.sealer, did)
    if tokens is None:
        raise NotFound(MoveReason.NO_SUCH_MOVE)
    return tokens


async def _sign_in_or_create(context: MigrationContext, did: Did, target: str, request: MoveRequest) -> BearerTokens:
    registry = context.registry
    try:
        destination = await describe(context.http, registry.clock, target, registry.network.resolve_did)
    except (RemoteFailed, Refused, NotFound, InvalidInput) as failure:
        why = (
            failure.why
            if isinstance(failure, RemoteFailed)
            else localizable("There’s no server at %(target)s that you can move to.", target=target)
        )
        raise InvalidInput("target", why) from None
    try:
        return await create_session(context.http, registry.clock, target, did, request.password)
    except NotSignedIn:
        pass  # the usual case: there is no account yet
    key = await registry.repositories.keys.signing_key(did)
    token_request = ServiceTokenRequest(destination.did, Nsid(CREATE_ACCOUNT), None)
    credentials = FixedToken(service_tokens.make(key, did, token_request, registry.clock.now()))
    body = {"did": did, "handle": request.handle, "email": request.email, "password": request.password}
    if request.invite_code:
        body["inviteCode"] = request.invite_code
    server = XrpcClient(context.http, registry.clock, target, credentials=credentials, timeout_seconds=PATIENCE_SECONDS)
    try:
        await server.procedure(CREATE_ACCOUNT, body)
    except Failure as failure:
        field = _FIELDS.get(failure.name or "")
        if field is None:
            raise
        raise InvalidInput(field, failure.why, name=failure.name) from None
    return await create_session(context.http, registry.clock, target, did, request.password)


# The form field for each error name of the other server.
_FIELDS = {
    "HandleNotAvailable": "handle",
    "InvalidHandle": "handle",
    "UnsupportedDomain": "handle",
    "InvalidPassword": "password",
    "InvalidInviteCode": "invite_code",
}


def _origin(text: str, *, is_development: bool) -> str:
    address = text.strip().rstrip("/")
    if "://" not in address:
        address = f"https://{address}"
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise InvalidInput(
            "target", gettext_noop("This isn’t the address of a server. Try one like pds.example.com.")
        ) from None
    if not parts.hostname or parts.path or parts.query or parts.fragment or parts.username:
        raise InvalidInput("target", gettext_noop("Type only the address, like pds.example.com."))
    if parts.scheme != "https" and not is_development:
        raise InvalidInput("target", gettext_noop("The address must begin with https."))
    return f"{parts.scheme}://{parts.hostname}{f':{port}' if port else ''}"
