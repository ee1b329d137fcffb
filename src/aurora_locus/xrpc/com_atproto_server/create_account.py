"""Create an account with a new did:plc, or for an existing identity."""

from functools import partial

from at_protocol.syntax.did import Did
from aurora_locus.accounts import creation, password_guesses, transfer_in, web_identities
from aurora_locus.accounts.account_requests import AccountRequest, CreatedAccount
from aurora_locus.accounts.limits import CREATE_ACCOUNT
from aurora_locus.accounts.registry import Registry
from aurora_locus.moderation import account_actions
from aurora_locus.xrpc.authentication import AccessLevel, PdsCaller
from aurora_locus.xrpc.com_atproto_admin.operator import audit_of
from aurora_locus.xrpc.com_atproto_server.session_view import document_view
from aurora_locus.xrpc.limits import per_address
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure
from groundwork.errors import InvalidInput, NotSignedIn, Refused


async def create_account(call: XrpcCall) -> Outcome:
    """Create an account with a new identity, or one for an existing identity that moves to this server.

    Raises what ``creation.create`` and ``transfer_in.create_for_existing_identity`` raise.
    """
    registry = call.registry
    body = call.body
    if body.get("plcOp") is not None:
        raise Refused("This server signs the first operation of its accounts itself.", name="InvalidRequest")
    is_admin = call.caller is not None and call.caller.is_admin
    request = AccountRequest(
        handle=body["handle"],
        email=body.get("email"),
        password=body.get("password"),
        invite_code=body.get("inviteCode"),
        recovery_key=body.get("recoveryKey"),
        by_admin=is_admin,
        note=partial(account_actions.note_creation, audit_of(call)) if is_admin else None,
    )
    did = body.get("did")
    if did is None and call.caller is not None and _is_signed_by_identity(call.caller):
        raise InvalidInput("did", "The token is for moving an identity here. Name the identity in did.")
    if did is None:
        new_account = await creation.create(registry, request)
    elif web_identities.is_ours(registry, Did(did)) and not (call.caller and _is_signed_by_identity(call.caller)):
        # A new identity. An existing one that comes back from another server is signed with the key that it has there.
        new_account = await creation.create(registry, request, Did(did))
    else:
        new_account = await _arrive(registry, call, Did(did), request)
    if call.source.is_personal:
        await registry.db.write(
            lambda w: password_guesses.note(w, registry.guess_context, new_account.did, call.source)
        )
    view = await document_view(call.host, new_account.did) if call.host.settings.enable_did_doc_with_session else {}
    return {
        "did": new_account.did,
        "handle": new_account.handle,
        **view,
        "accessJwt": new_account.tokens.access,
        "refreshJwt": new_account.tokens.refresh,
    }


def _is_signed_by_identity(caller: PdsCaller) -> bool:
    """Whether the caller presented a service token: sessions have a scope, OAuth apps a grant, and the administrator no
    DID.
    """
    return caller.did is not None and caller.scope is None and caller.grant is None


async def _arrive(registry: Registry, call: XrpcCall, did: Did, request: AccountRequest) -> CreatedAccount:
    caller = call.caller
    if caller is None or caller.did is None or not _is_signed_by_identity(caller):
        raise NotSignedIn(
            "Moving an identity here requires a service token that it has signed (getServiceAuth on the old server, "
            f"with aud={call.host.settings.did} and lxm=com.atproto.server.createAccount).",
        )
    if caller.did != did:
        raise NotSignedIn(f"The token was signed by {caller.did}, not by {did}.", name="BadJwtIss")
    return await transfer_in.create_for_existing_identity(registry, did, request)


METHOD = procedure(
    "com.atproto.server.createAccount", create_account, AccessLevel.ARRIVAL, charges=per_address(CREATE_ACCOUNT)
)
