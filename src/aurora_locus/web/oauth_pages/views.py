"""HTML of the consent flow's pages."""

from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from at_protocol.oauth.client_id import is_localhost
from at_protocol.oauth.permissions import ATPROTO
from aurora_locus.accounts.browser_sessions import SignedInAccount
from aurora_locus.i18n.catalogue import current
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.identity.handles import MAX_LABEL, MIN_LABEL
from aurora_locus.oauth.model import AuthorizationRequest
from aurora_locus.oauth.plain_names import app_name
from aurora_locus.oauth.scope_descriptions import abilities, describe_scopes, inabilities
from aurora_locus.repository.model import HostingStatus
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.oauth_pages.flow import Flow
from aurora_locus.web.sign_in import factor_step
from aurora_locus.web.site.frame import page
from aurora_locus.web.site.services import services
from groundwork.errors import InvalidInput, Why
from groundwork.http.forms import FormState

_NOT_ACTIVE = {
    HostingStatus.DEACTIVATED: gettext_noop("It’s paused. Bring it back on its account page, then try again."),
    HostingStatus.SUSPENDED: gettext_noop("The operator of this server suspended it."),
    HostingStatus.TAKENDOWN: gettext_noop("The operator of this server took it down."),
}


def unusable(request: Request, problem: InvalidInput) -> Response:
    """The error page for a request that cannot be used. Nothing in such a request is verified, so there is no redirect."""
    return page(request, "oauth_pages/unusable.html", {"why": problem.why}, status=400)


def sign_in(
    request: Request,
    flow: Flow,
    form_state: FormState,
    locked: str,
    accounts: list[SignedInAccount],
    *,
    status: int = 200,
) -> Response:
    """The sign-in page of the flow. ``locked`` is the handle that the app requested, which cannot be changed; empty if
    any account will do.

    After too many attempts (429), the page offers to e-mail a sign-in link.
    """
    context = {
        "offers_link": status == HTTPStatus.TOO_MANY_REQUESTS and services(request).registry.sends_mail,
        "typed": form_state,
        "locked": locked,
        "accounts": accounts,
        "any_passkey": factor_step.any_passkey(request),
        **_frame(flow),
    }
    return page(request, "oauth_pages/sign_in.html", context, status=status)


def factor(
    request: Request, flow: Flow, form_state: FormState, view: dict[str, object], *, status: int = 200
) -> Response:
    """The page that asks for the second factor. ``view`` has the ticket and the values from ``factor_step.view_of``."""
    fields = {**flow.fields, "ticket": view["ticket"]}
    context = {"typed": form_state, **view, **_frame(flow), "fields": fields}
    return page(request, "oauth_pages/factor.html", context, status=status)


def sign_up(request: Request, flow: Flow, form_state: FormState, *, status: int = 200) -> Response:
    """The sign-up page of the flow, for people without an account."""
    registry = services(request).registry
    context = {
        "typed": form_state,
        "domains": registry.handle_domains,
        "needs_invite": registry.needs_invite,
        "min_label": MIN_LABEL,
        "max_label": MAX_LABEL,
        "accounts": authentication.accounts_of(request),
        **_frame(flow),
    }
    return page(request, "oauth_pages/sign_up.html", context, status=status)


def choose(request: Request, flow: Flow, accounts: list[SignedInAccount]) -> Response:
    """The page on which people choose one of several accounts."""
    rows = [(account, flow.url(account=account.did)) for account in accounts]
    return page(request, "oauth_pages/choose.html", {"rows": rows, **_frame(flow)})


def confirm_email(
    request: Request, flow: Flow, account: SignedInAccount, form_state: FormState, *, status: int = 200
) -> Response:
    """The page on which the owner of a new account must first confirm its e-mail address."""
    fields = {**flow.fields, "account": account.did, "proof": request.query_params.get("proof", "")}
    context = {"typed": form_state, "email": account.email, **_frame(flow), "fields": fields}
    return page(request, "oauth_pages/confirm_email.html", context, status=status)


def cannot(request: Request, flow: Flow, account: SignedInAccount, why: Why = "") -> Response:
    """The page that explains why this account cannot authorize apps."""
    why = why or _NOT_ACTIVE.get(account.status, gettext_noop("It isn’t active."))
    return page(request, "oauth_pages/cannot.html", {"account": account, "why": why, **_frame(flow)}, status=403)


def unknown_account(request: Request, flow: Flow) -> Response:
    """The page that says that the account requested by the app is not on this server."""
    return page(
        request, "oauth_pages/stranger.html", {"hint": flow.oauth_request.login_hint, **_frame(flow)}, status=404
    )


def consent(request: Request, flow: Flow, account: SignedInAccount, proof: str) -> Response:
    """The consent page: the requested scopes, each as a choice."""
    oauth_request = flow.oauth_request
    locales = _locales(request, oauth_request)
    groups = describe_scopes(oauth_request.scopes, oauth_request.permission_sets, locales)
    fields = {**flow.fields, "account": account.did, "proof": proof}
    context = {
        "account": account,
        "groups": groups,
        "number": {scope: number for number, scope in enumerate(oauth_request.scopes)},
        "can_choose": any(each.can_be_refused for group in groups for each in group.permissions),
        "abilities": abilities(oauth_request.scopes, oauth_request.permission_sets, locales),
        "inabilities": inabilities(oauth_request.scopes, oauth_request.permission_sets),
        **_frame(flow),
        "fields": fields,
    }
    return page(request, "oauth_pages/consent.html", context)


def selected_scopes(oauth_request: AuthorizationRequest, form: dict[str, str]) -> tuple[str, ...]:
    """Return the scopes that are selected on the consent page. ``atproto`` is always included."""
    return tuple(
        scope
        for number, scope in enumerate(oauth_request.scopes)
        if scope == ATPROTO or form.get(f"allow-{number}") == scope
    )


def _frame(flow: Flow) -> dict[str, object]:
    """Return the app's name and the way back. An untrusted app is shown only by its URL."""
    client, oauth_request = flow.oauth_request.client, flow.oauth_request
    is_here = is_localhost(client.client_id)
    redirect = urlsplit(oauth_request.redirect_uri)
    # Several programs on the person's own computer differ only in their ports.
    back = redirect.netloc if is_here else redirect.hostname
    return {
        "flow": flow,
        "fields": flow.fields,
        "app": {
            "name": app_name(client.client_id, client.name if oauth_request.is_trusted else None),
            "client_id": client.client_id,
            "is_trusted": oauth_request.is_trusted,
            "is_here": is_here,
            "logo": client.logo_uri if oauth_request.is_trusted else None,
            "tos": client.tos_uri if oauth_request.is_trusted else None,
            "policy": client.policy_uri if oauth_request.is_trusted else None,
        },
        "back": back or redirect.scheme,
    }


def _locales(request: Request, oauth_request: AuthorizationRequest) -> tuple[str, ...]:
    """Return language tags, best first: those that the app states, then those of the browser."""
    accepted = request.headers.get("accept-language", "").split(",")
    return (
        *oauth_request.ui_locales,
        current().tag,
        *(part.partition(";")[0].strip() for part in accepted if part.strip()),
    )
