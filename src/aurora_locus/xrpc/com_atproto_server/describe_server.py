"""Describe this server and its sign-up conditions."""

from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import Outcome, XrpcCall, query


async def describe_server(call: XrpcCall) -> Outcome:
    """Return the server's DID, handle domains, sign-up conditions, links and contact. Anybody may call this."""
    settings = call.host.settings
    response: dict[str, object] = {
        "did": settings.did,
        "availableUserDomains": list(call.registry.handle_domains),
        "inviteCodeRequired": call.registry.needs_invite,
        # Not in the Lexicon, but deployed clients and the reference server use it.
        "blobUploadLimit": settings.blob_upload_limit,
    }
    links = {"privacyPolicy": settings.privacy_policy_url, "termsOfService": settings.terms_of_service_url}
    # Always present, even if empty, as in the reference server, because clients access them without checking.
    response["links"] = {name: url for name, url in links.items() if url}
    response["contact"] = {"email": settings.contact_email_address} if settings.contact_email_address else {}
    return response


METHOD = query("com.atproto.server.describeServer", describe_server, AccessLevel.OPTIONAL_LENIENT)
