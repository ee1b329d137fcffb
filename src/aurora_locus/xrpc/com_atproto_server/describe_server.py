"""What this server is and under which conditions it takes accounts."""

from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Anybody may ask."""
    settings = call.host.settings
    answer: dict[str, object] = {
        "did": settings.did,
        "availableUserDomains": list(registry.handle_domains),
        "inviteCodeRequired": registry.needs_invite,
        # Not in the Lexicon; deployed clients and the reference server know it.
        "blobUploadLimit": settings.blob_upload_limit,
    }
    links = {"privacyPolicy": settings.privacy_policy_url, "termsOfService": settings.terms_of_service_url}
    # Both always, if empty, as the reference: clients read into them.
    answer["links"] = {name: url for name, url in links.items() if url}
    answer["contact"] = {"email": settings.contact_email_address} if settings.contact_email_address else {}
    return answer
