"""Target services of proxied calls: named by the caller (``atproto-proxy``), or the operator's service for the method.

Source: XRPC specification, "Service Proxying". The operator's own services are at the configured addresses, which may
be private. Every other service is at the endpoint in its DID document and is called with the client for untrusted
addresses.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

from at_protocol.data import json_form
from at_protocol.failures import Malformed
from at_protocol.identity.did_document import DidDocument
from at_protocol.syntax.did import Did, parse_did, supported_method
from at_protocol.syntax.nsid import Nsid
from aurora_locus.accounts.service_tokens import SERVICE_FRAGMENT
from groundwork.errors import InvalidInput, NotFound

APP_VIEW: Final = "bsky_appview"
LABELER: Final = "atproto_labeler"
PUSH_SERVICE: Final = "bsky_notif"
CREATE_REPORT: Final = Nsid("com.atproto.moderation.createReport")
# Methods of this server about things that relays, labelers, directories and moderation services answer as well. The
# reference PDS does not have them, so its clients expect the answer of the service that they name.
OF_NAMED_SERVICES: Final = frozenset(
    {
        "com.atproto.admin.searchAccounts",
        "com.atproto.identity.refreshIdentity",
        "com.atproto.identity.resolveDid",
        "com.atproto.identity.resolveIdentity",
        "com.atproto.label.queryLabels",
        "com.atproto.lexicon.resolveLexicon",
        "com.atproto.sync.getHostStatus",
        "com.atproto.sync.listHosts",
        "com.atproto.sync.listReposByCollection",
        "com.atproto.sync.requestCrawl",
    }
)
# These methods name their service in the body; they are older than the header ``atproto-proxy``.
PUSH_METHODS: Final = frozenset({"app.bsky.notification.registerPush", "app.bsky.notification.unregisterPush"})

_MAX_HEADER = 2500

Resolve = Callable[[Did], Awaitable[DidDocument]]


@dataclass(frozen=True, slots=True)
class ServiceRef:
    """A service as a caller names it."""

    did: Did
    fragment: str

    @property
    def name(self) -> str:
        """The name of the service: ``did#fragment``."""
        return f"{self.did}#{self.fragment}"


@dataclass(frozen=True, slots=True)
class KnownService:
    """A resolved service. ``url`` is ``scheme://host[:port]``. ``is_own`` is True if it comes from the operator's
    settings.
    """

    did: Did
    fragment: str
    url: str
    is_own: bool = False

    @property
    def name(self) -> str:
        """The name of the service: ``did#fragment``."""
        return f"{self.did}#{self.fragment}"


@dataclass(frozen=True, slots=True)
class OwnServices:
    """Services configured by the operator; None if not configured."""

    app_view: KnownService | None = None
    moderation: KnownService | None = None
    reports: KnownService | None = None

    def for_method(self, nsid: Nsid) -> KnownService | None:
        """Return the default service for this method."""
        if nsid == CREATE_REPORT:
            return self.reports or self.moderation
        return self.moderation if nsid.startswith("tools.ozone.") else self.app_view

    def named(self, target: ServiceRef) -> KnownService | None:
        """Return the operator's service with this name. The app view also registers devices for push notifications."""
        view = self.app_view
        if view is not None and target.did == view.did and target.fragment == PUSH_SERVICE:
            return replace(view, fragment=PUSH_SERVICE)
        services = (self.app_view, self.moderation, self.reports)
        return next((one for one in services if one is not None and one.name == target.name), None)


def read_proxy_header(text: str) -> ServiceRef:
    """Parse an ``atproto-proxy`` header. Raises InvalidInput."""
    did, separator, fragment = text.partition("#")
    if len(text) > _MAX_HEADER or not separator or not SERVICE_FRAGMENT.fullmatch(fragment):
        raise _bad_header("it must be a DID, then #, then the name of a service")
    try:
        parsed = parse_did(did)
        supported_method(parsed)
    except Malformed as error:
        raise _bad_header(error.why) from None
    return ServiceRef(parsed, fragment)


def read_push_service(body: bytes) -> ServiceRef:
    """Return the service that the body of a push method names (``serviceDid``). Raises InvalidInput."""
    try:
        value = json_form.decode(body)
        did = parse_did(str(value.get("serviceDid")) if isinstance(value, dict) else "")
        supported_method(did)
    except Malformed:
        raise InvalidInput("serviceDid", "The body must name a service: serviceDid is not a DID.") from None
    return ServiceRef(did, PUSH_SERVICE)


async def find_service(resolve: Resolve, own: OwnServices, target: ServiceRef) -> KnownService:
    """Resolve a named service. Raises InvalidInput if it does not exist, RemoteFailed and RemoteSlow if that cannot be
    determined.
    """
    did, fragment = target.did, target.fragment
    service = own.named(target)
    if service is not None:
        return service
    try:
        document = await resolve(did)
    except (NotFound, InvalidInput) as failure:
        raise InvalidInput("atproto-proxy", f"could not resolve proxy did {did}: {failure.why}") from None
    url = document.service(fragment)
    if url is None:
        raise InvalidInput(
            "atproto-proxy", f"could not resolve proxy did service url: {did} has no service {fragment}."
        )
    return KnownService(did, fragment, url)


def audience_of(service: KnownService, full: Collection[str]) -> str:
    """Return the ``aud`` claim of a token for this service: its bare DID, or ``did#service`` if ``full`` contains it.

    ``full`` holds ``#service`` or ``did#service`` names. Deployed services compare ``aud`` with their DID, which is
    what the reference PDS sends; the specification is moving to ``did#service``.
    """
    if f"#{service.fragment}" in full or service.name in full:
        return service.name
    return service.did


def _bad_header(why: str) -> InvalidInput:
    return InvalidInput("atproto-proxy", f"The header atproto-proxy cannot be used: {why}.")
