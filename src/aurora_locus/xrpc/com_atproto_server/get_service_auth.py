"""Make a service token with which the caller's account can call another service."""

from at_protocol.syntax.nsid import Nsid
from aurora_locus.accounts import service_tokens
from aurora_locus.accounts.service_tokens import ServiceTokenRequest
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import Outcome, XrpcCall, query
from aurora_locus.xrpc.permissions import require_rpc, scope_at_services
from groundwork.errors import NotSignedIn


async def get_service_auth(call: XrpcCall) -> Outcome:
    """Return a token with which the caller's account can call another service. Raises what ``service_tokens``
    raises.
    """
    did, scope = call.did, scope_at_services(call.caller)
    if scope is None:
        raise NotSignedIn("Call this with a session of the account.", name="AuthMissing")
    method = call.parameters.get("lxm")
    token_request = ServiceTokenRequest(
        call.parameters["aud"], None if method is None else Nsid(method), call.parameters.get("exp")
    )
    require_rpc(call.caller, audience=token_request.audience, method=token_request.method or "*")
    service_tokens.require_allowed(token_request, scope)
    key = await call.registry.repositories.keys.signing_key(did)
    return {"token": service_tokens.make(key, did, token_request, call.registry.clock.now())}


METHOD = query("com.atproto.server.getServiceAuth", get_service_auth, AccessLevel.ACCESS)
