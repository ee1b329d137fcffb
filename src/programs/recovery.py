"""Account recovery: move an account with its recovery key when its server is gone or refuses.

Source: the did:plc specification (operations signed by any rotation key, recovery within 72 hours) and the account
migration guide ("adversarial" migration). The directory is called directly. Two operations are needed. The new server
accepts an account only from the holder of the identity's atproto key, which the old server has, so the recovery key
first becomes that key. Then the identity gets the credentials that the new server recommends. Each step can be
repeated: completed steps are detected and skipped.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from at_network.bearer_session import BearerSession, FixedToken, create_session
from at_network.migration.copy import missing_blobs
from at_network.migration.servers import MigrationServer, describe
from at_network.plc_client import PlcClient
from at_network.xrpc_client import XrpcClient
from at_protocol.crypto.did_key import PrivateKey, format_did_key
from at_protocol.data.cid import Cid
from at_protocol.identity import plc_operation
from at_protocol.identity.did_document import ATPROTO_KEY, PDS_SERVICE, PDS_TYPE, DidService
from at_protocol.identity.plc_operation import PlcOperation
from at_protocol.repo.car import MEDIA_TYPE
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.xrpc.service_auth import make_service_token
from groundwork.clock import SECOND, Clock
from groundwork.errors import Conflict, Failure, NotSignedIn, Refused, RemoteFailed, kind_of
from groundwork.http.client import HttpClient
from programs.account_file import AccountFile, check_repository, wanted_blobs
from programs.command_line import with_count

# Enough time for a repository of a hundred megabytes over a slow connection.
LONG_SECONDS = 600.0
CREATE_ACCOUNT = Nsid("com.atproto.server.createAccount")
_PREFERENCES = "app.bsky."

Print = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RecoveryTarget:
    """The account on the new server. ``service``: that server's origin."""

    service: str
    handle: str
    email: str
    password: str
    invite_code: str = ""


@dataclass(frozen=True, slots=True)
class RecoveryContext:
    """Everything that a recovery works with."""

    http: HttpClient
    clock: Clock
    directory: PlcClient
    did: Did
    key: PrivateKey


@dataclass(frozen=True, slots=True)
class BaseOperation:
    """The operation to build on. ``overrules``: it overrides newer operations that do not list the key, which the
    directory allows within 72 hours.
    """

    operation: PlcOperation
    cid: Cid
    overrules: int


async def basis(context: RecoveryContext) -> BaseOperation:
    """The newest operation after which this key may sign. Raises Refused if there is none."""
    own_key = format_did_key(context.key.public)
    log = await context.directory.log(context.did)
    for overrules, newest in enumerate(reversed(log)):
        if isinstance(newest, plc_operation.Tombstone):
            continue
        operation = plc_operation.normalised(newest)
        if own_key in operation.rotation_keys:
            return BaseOperation(operation, plc_operation.cid_of(newest), overrules)
    raise Refused(
        f"{own_key} is not, and never was, a rotation key of {context.did}. Is it the key of another identity?"
    )


def change(context: RecoveryContext, present: BaseOperation, **fields: Any) -> PlcOperation:
    """Make a signed operation that changes these fields."""
    changed = replace(present.operation, **fields, prev=str(present.cid), sig=None)
    signed = plc_operation.sign(changed, context.key)
    plc_operation.check_limits(signed)
    return signed


async def point_at(
    context: RecoveryContext,
    *,
    service: str,
    signing_key: str,
    rotation_keys: tuple[str, ...],
    also_known_as: tuple[str, ...] = (),
) -> PlcOperation:
    """Make, but do not submit, the operation that names ``service`` as the account's server. The recovery key stays
    first.

    Without ``also_known_as``, the names are unchanged.
    """
    present = await basis(context)
    own_key = format_did_key(context.key.public)
    others = tuple(name for name in present.operation.also_known_as if not name.startswith("at://"))
    return change(
        context,
        present,
        rotation_keys=(own_key, *(key for key in rotation_keys if key != own_key)),
        verification_methods={**present.operation.verification_methods, ATPROTO_KEY: signing_key},
        services={**present.operation.services, PDS_SERVICE: DidService(PDS_TYPE, service)},
        also_known_as=(*also_known_as, *others) if also_known_as else present.operation.also_known_as,
    )


async def move(
    context: RecoveryContext, target: RecoveryTarget, file: AccountFile | None, say: Print
) -> Mapping[str, object]:
    """Create the account on the new server, import the archive, and change the identity.

    Returns the new server's final counts (``checkAccountStatus``). Raises the failures of either server. It can be run
    again with the same arguments.
    """
    client = await _open(context, target, say)
    if file is not None:
        await _import_archive(MigrationServer(target.service, context.did, client), file, say)
    recommended = await client.query("com.atproto.identity.getRecommendedDidCredentials")
    present = await basis(context)
    operation = await point_at(context, **_recommended(recommended))
    if _is_same_identity(present.operation, operation):
        say("identity   already names the new server")
    else:
        await context.directory.submit(context.did, operation)
        say(f"identity   now names {target.service}; the recovery key stays its first rotation key")
    await client.procedure("com.atproto.server.activateAccount")
    status = await client.query("com.atproto.server.checkAccountStatus")
    say(f"account    active as {target.handle}")
    return status


async def _open(context: RecoveryContext, target: RecoveryTarget, say: Print) -> XrpcClient:
    """Open a session of the account on the new server. The account is created unless an earlier attempt has done so."""
    try:
        tokens = await create_session(context.http, context.clock, target.service, context.did, target.password)
        say(f"account    is already at {target.service}")
    except NotSignedIn:
        await _make(context, target, say)
        tokens = await create_session(context.http, context.clock, target.service, context.did, target.password)
    session = BearerSession(context.http, context.clock, target.service, tokens)
    return XrpcClient(context.http, context.clock, target.service, credentials=session, timeout_seconds=LONG_SECONDS)


async def _make(context: RecoveryContext, target: RecoveryTarget, say: Print) -> None:
    own_key = format_did_key(context.key.public)
    present = await basis(context)
    if present.overrules:
        say(f"identity   {with_count(present.overrules, 'operation')} that took the key away will be overridden")
    if present.overrules or present.operation.verification_methods.get(ATPROTO_KEY) != own_key:
        methods = {**present.operation.verification_methods, ATPROTO_KEY: own_key}
        await context.directory.submit(context.did, change(context, present, verification_methods=methods))
        say("identity   now uses the recovery key")
    description = await describe(context.http, context.clock, target.service)
    token = make_service_token(
        context.key,
        issuer=context.did,
        audience=description.did,
        method=CREATE_ACCOUNT,
        now_seconds=context.clock.now() // SECOND,
        token_id=secrets.token_hex(16),
    )
    body = {"did": context.did, "handle": target.handle, "email": target.email, "password": target.password}
    if target.invite_code:
        body["inviteCode"] = target.invite_code
    client = XrpcClient(context.http, context.clock, target.service, credentials=FixedToken(token))
    await client.procedure(CREATE_ACCOUNT, body)
    say(f"account    made at {target.service} as {target.handle}; it is not visible yet")


async def _import_archive(side: MigrationServer, file: AccountFile, say: Print) -> None:
    """Import those parts of the archive (repository, blobs, preferences) that the new server does not have yet."""
    client = side.client
    _, snapshot = check_repository(file)
    status = await client.query("com.atproto.server.checkAccountStatus")
    if status.get("activated") is True:
        raise Conflict("The account is already active on the new server, and its records there would be replaced.")
    await client.upload("com.atproto.repo.importRepo", file.repository(), MEDIA_TYPE)
    say(f"records    {len(snapshot.entries)} imported")
    types = {blob.cid: blob.mime_type for blob in wanted_blobs(snapshot)}
    brought = lost = 0
    for cid in [cid async for cid in missing_blobs(side)]:
        if cid not in file.blobs:
            lost += 1
            continue
        with file.blob(cid) as entry:
            await client.upload("com.atproto.repo.uploadBlob", entry.read(), types.get(cid, "application/octet-stream"))
        brought += 1
    say(f"blobs      {brought} imported" + (f", {lost} are not in the archive" if lost else ""))
    preferences = [one for one in file.preferences if str(one.get("$type", "")).startswith(_PREFERENCES)]
    if not preferences:
        return
    try:
        await client.procedure("app.bsky.actor.putPreferences", {"preferences": preferences})
        say(f"private    {len(preferences)} preferences imported")
    except Failure as failure:
        # The recovery continues if a server does not support this app's preferences.
        if kind_of(failure).worth_retrying:
            raise
        say(f"private    preferences stay in the archive: {failure.why}")


def _recommended(response: Mapping[str, object]) -> dict[str, Any]:
    """The arguments of ``point_at`` that a server recommends. Raises RemoteFailed."""
    try:
        keys, names = response["rotationKeys"], response["alsoKnownAs"]
        method, service = response["verificationMethods"], response["services"]
        return {
            "service": service[PDS_SERVICE]["endpoint"],  # type: ignore[index]  # another shape raises below
            "signing_key": method[ATPROTO_KEY],  # type: ignore[index]
            "rotation_keys": tuple(keys),  # type: ignore[arg-type]
            "also_known_as": tuple(names),  # type: ignore[arg-type]
        }
    except (KeyError, TypeError):
        raise RemoteFailed("The new server does not recommend credentials for the identity.") from None


def _is_same_identity(one: PlcOperation, other: PlcOperation) -> bool:
    return replace(one, prev=None, sig=None) == replace(other, prev=None, sig=None)
