"""AT Protocol identity page: connected accounts, the permissions granted to this site, and controls to change them."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from groundwork.database.transaction import Reader
from groundwork.errors import Failure, Forbidden, InvalidInput, NotFound, Refused
from groundwork.http.forms import EMPTY, FormState, local_path, read_form
from openmeet.domain.identities import actions, queries, recovery_key_queries, session_queries
from openmeet.domain.identities.model import ACTIVE, Identity, IdentityKind, PdsSessionKind, SealedSession
from openmeet.domain.identities.permissions import Feature, GrantState, grant_state
from openmeet.domain.users.model import UserId, UserReason
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import lazy
from openmeet.network.repositories import credentials_cache, session_sealing, sessions
from openmeet.network.repositories.authorize import AuthorizationOptions, AuthorizationPurpose
from openmeet.network.repositories.sign_in import FIELD, read_name
from openmeet.web.account.recent_proof import recent_proof_of
from openmeet.web.sign_in import sign_out
from openmeet.web.sign_in.atproto import browser_secret, is_offered
from openmeet.web.sign_in.atproto_pages import authorization_page, problem_of
from openmeet.web.site import session as site_session
from openmeet.web.site.caller import caller_of
from openmeet.web.site.faces import avatar_of, portraits_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

HERE = "/settings/identity"

# What each feature is allowed to do, in everyday words.
FEATURE_LABELS = {
    Feature.CALENDAR: lazy("Save your public events and answers, with their pictures"),
    Feature.SERIES: lazy("Save your series, so that other apps know all their dates"),
    Feature.GROUPS: lazy("Save your public groups"),
    Feature.MEMBERSHIPS: lazy("Save which public groups you’re in"),
}


@dataclass(frozen=True, slots=True)
class PermissionState:
    """One permission and its state: granted, requested when needed, or refused."""

    feature: Feature
    words: str
    grant_state: GrantState


@dataclass(frozen=True, slots=True)
class IdentityView:
    """One identity, for the template."""

    identity: Identity
    needs_login: bool
    by_password: bool
    allowed: tuple[PermissionState, ...]

    @property
    def is_custodial(self) -> bool:
        return self.identity.kind is IdentityKind.CUSTODIAL

    @property
    def name(self) -> str:
        return self.identity.handle or self.identity.did

    @property
    def server(self) -> str:
        """The host of the account's PDS, with its port if it is not the usual one; empty if the PDS is unknown."""
        return urlsplit(self.identity.pds_url).netloc

    @property
    def trouble(self) -> str:
        """The account's problem as its PDS reports it; empty for an active account."""
        return "" if self.identity.status == ACTIVE else self.identity.status


def routes() -> list[Route]:
    return [
        Route(HERE, show, methods=["GET"]),
        Route(f"{HERE}/link", link, methods=["POST"]),
        Route(f"{HERE}/permit", permit, methods=["POST"]),
        Route(f"{HERE}/switch", switch, methods=["POST"]),
        Route(f"{HERE}/unlink", unlink, methods=["POST"]),
        Route(f"{HERE}/sign-out-everywhere", sign_out_everywhere, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    return await _identities_page(request, EMPTY)


async def link(request: Request) -> Response:
    """Redirect to the PDS of another account, to connect that account. A stolen session is not enough, because whoever
    connects an account of theirs can sign in as this user from then on.
    """
    caller = caller_of(request)
    form = await read_form(request)
    async with database_of(request).reader() as reader:
        proof = await recent_proof_of(reader, request)
    try:
        await site_session.refuse_app_password(request)
        if not proof.is_enough:
            return go(HERE)
        account_name = read_name(form.get("identifier", ""))
        return await authorization_page(
            request,
            AuthorizationOptions(
                AuthorizationPurpose.LINK, account_name, HERE, browser_secret(request), caller.user_id
            ),
        )
    except Failure as wrong:
        status, problem = (403, {FIELD: wrong.why}) if isinstance(wrong, Forbidden) else problem_of(wrong)
        shown = FormState({"identifier": form.get("identifier", "").strip()}, problem)
        return await _identities_page(request, shown, status=status)


async def permit(request: Request) -> Response:
    """Redirect to the account's PDS to grant more permissions, or to sign in at the PDS again."""
    caller = caller_of(request)
    form = await read_form(request)
    did = _parse_did(form.get("did", ""))
    feature = _feature(form.get("feature", ""))
    async with database_of(request).reader() as reader:
        await _own_identity(reader, caller.user_id, did)
    next_path = local_path(form.get("next", ""), HERE)
    options = AuthorizationOptions(
        AuthorizationPurpose.PERMIT, did, next_path, browser_secret(request), caller.user_id, feature
    )
    try:
        return await authorization_page(request, options)
    except Failure as wrong:
        status, problem = problem_of(wrong)
        return await _identities_page(request, FormState({}, {"": next(iter(problem.values()))}), status=status)


async def switch(request: Request) -> Response:
    """Make another account the default for new records."""
    caller = caller_of(request)
    did = _parse_did((await read_form(request)).get("did", ""))
    async with database_of(request).transaction() as tx:
        await actions.make_default(tx, caller.user_id, did)
    return go(HERE, flash="identity_switched")


async def unlink(request: Request) -> Response:
    """Unlink an account. Its PDS is requested to end our session."""
    caller = caller_of(request)
    did = _parse_did((await read_form(request)).get("did", ""))
    try:
        async with database_of(request).transaction() as tx:
            ended = await session_queries.find(tx, did)
            await actions.unlink(tx, caller.user_id, did)
    except Refused as refused:
        return await _identities_page(request, FormState({}, {"": refused.why}), status=422)
    network = services(request).network
    if network is not None:
        await credentials_cache.drop(network, caller.user_id)
        if ended is not None:
            await sessions.revoke_at_server(database_of(request), network, ended)
    return go(HERE, flash="identity_unlinked")


async def sign_out_everywhere(request: Request) -> Response:
    """End every session: those of browsers and programs on this site, and our session at the PDS of each account."""
    await sign_out.end_everywhere(request, caller_of(request))
    response = go("/", flash="signed_out_everywhere")
    site_session.clear_cookie(request, response)
    return response


async def _identities_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        writable_identities = await queries.writable_of_user(reader, caller.user_id)
        opened = {
            one.did: one for one in await session_queries.of_user(reader, caller.user_id) if _can_unseal(request, one)
        }
        consent = await queries.consent(reader, caller.user_id)
        proof = await recent_proof_of(reader, request)
        has_key = await recovery_key_queries.unsaved_key(reader, caller.user_id) is not None
        portraits = await portraits_of(reader, caller.user_id, [caller.user_id])
    identities = [_identity_view(one, opened.get(one.did)) for one in writable_identities]
    context = {
        "typed": form_state,
        "face": avatar_of(caller.user_id, caller.display_name, portraits),
        "identities": identities,
        "own_accounts": [one for one in identities if not one.is_custodial],
        "consent": consent,
        "proof": proof,
        "recovery_key_waits": has_key and services(request).asks_to_publish,
        "can_link": is_offered(request),
        "next_path": local_path(request.query_params.get("next", form_state.value("next")), ""),
        "with_publishing": services(request).asks_to_publish,
    }
    return page(request, "account/identity.html", context, status=status)


def _can_unseal(request: Request, session: SealedSession) -> bool:
    """Whether the tokens of a session can be unsealed. A session whose tokens cannot be unsealed counts as expired."""
    network = services(request).network
    return network is None or session_sealing.opens(network, session)


def _identity_view(identity: Identity, session: SealedSession | None) -> IdentityView:
    by_password = session is not None and session.kind is PdsSessionKind.PASSWORD
    allowed = (
        ()
        if session is None or session.needs_login or by_password
        else tuple(
            PermissionState(feature, str(FEATURE_LABELS[feature]), grant_state(session, feature)) for feature in Feature
        )
    )
    is_over = session is None or session.needs_login
    return IdentityView(identity, is_over and identity.kind is not IdentityKind.CUSTODIAL, by_password, allowed)


async def _own_identity(reader: Reader, user_id: UserId, did: Did) -> Identity:
    for one in await queries.of_user(reader, user_id):
        if one.did == did and one.can_write:
            return one
    raise NotFound(UserReason.NOT_YOUR_ACCOUNT)


def _parse_did(text: str) -> Did:
    try:
        return parse_did(text)
    except Malformed:
        raise InvalidInput("did", UserReason.ACCOUNT_NEEDED) from None


def _feature(text: str) -> Feature | None:
    """The feature whose permission the form requests. None means only to sign in again, without a further permission."""
    if not text:
        return None
    try:
        return Feature(text)
    except ValueError:
        raise InvalidInput("feature", GeneralReason.CHOOSE_ONE, choices=", ".join(Feature)) from None
