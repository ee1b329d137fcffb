"""State of one authorization request across the pages, and the URLs between them."""

from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request

from at_protocol.syntax.did import Did
from aurora_locus.accounts.browser_sessions import SignedInAccount
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.oauth.authorization import open_request
from aurora_locus.oauth.model import AuthorizationRequest
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.site import forms
from aurora_locus.web.site.frame import shown_of
from aurora_locus.web.site.services import services
from groundwork.database.transaction import Transaction
from groundwork.errors import InvalidInput

PATH = "/oauth/authorize"

# Our own query parameters, in addition to the two that name the request. All other parameters belong in the pushed
# request.
_OWN = frozenset({"view", "account", "proof", "ticket"})


@dataclass(frozen=True, slots=True)
class Flow:
    """One authorization request across its pages. ``oauth_request`` is the request as loaded for this page."""

    client_id: str
    request_uri: str
    oauth_request: AuthorizationRequest

    @property
    def fields(self) -> dict[str, str]:
        """Hidden fields of every form of the flow."""
        return {"client_id": self.client_id, "request_uri": self.request_uri}

    def url(self, **more: str) -> str:
        """The address of another page of the flow."""
        return f"{PATH}?{urlencode({**self.fields, **more})}"


def names_in(request: Request) -> tuple[str, str]:
    """Return client_id and request_uri of a URL. Raises InvalidInput unless it has exactly one of each and otherwise
    only our own parameters.
    """
    query = request.query_params
    names = [name for name, _ in query.multi_items()]
    if names.count("client_id") != 1 or names.count("request_uri") != 1:
        raise InvalidInput(
            "request_uri",
            gettext_noop(
                "This address isn’t complete. Go back to the app and start again. (It needs one client_id and one "
                "request_uri.)"
            ),
        )
    unexpected = sorted(set(names) - _OWN - {"client_id", "request_uri"})
    if unexpected:
        raise InvalidInput(
            unexpected[0],
            gettext_noop(
                "The app sent its request the wrong way. Go back to it and start again. For its developers: push "
                "the request first (PAR)."
            ),
        )
    return query["client_id"], query["request_uri"]


async def open_flow(tx: Transaction, request: Request, client_id: str, request_uri: str) -> Flow:
    """Bind the request to this browser and return it. Raises RequestUnusable."""
    oauth_request = await open_request(services(request).authorization, tx, request_uri, client_id, device_of(request))
    layout = shown_of(request)
    if layout is not None:
        # Any form of the flow may be the last one before the redirect to the app, so the content policy must allow
        # that.
        layout.form_targets = (source_of(oauth_request.redirect_uri),)
        if oauth_request.is_trusted and oauth_request.client.logo_uri:
            layout.picture_origins = (source_of(oauth_request.client.logo_uri),)
    return Flow(client_id, request_uri, oauth_request)


def device_of(request: Request) -> str:
    """Return the identifier of the browser that is stored with app sessions. It grants no access."""
    return sha256(authentication.browser_of(request).encode()).hexdigest()


def source_of(address: str) -> str:
    """Return a URL as a CSP source: its origin, or only its scheme if CSP cannot express the origin."""
    parts = urlsplit(address)
    is_web = parts.scheme in ("http", "https") and parts.netloc and "[" not in parts.netloc
    return f"{parts.scheme}://{parts.netloc}" if is_web else f"{parts.scheme}:"


def fits_hint(account: SignedInAccount, hint: str | None) -> bool:
    """Whether this account may be chosen: the app named it in ``login_hint``, or named none."""
    return hint is None or hint.lower() in (account.did, account.handle)


def proof_of(request: Request, flow: Flow, did: Did) -> str:
    """Return the proof that this browser entered this account's password for this request (``prompt=login``)."""
    message = f"{authentication.browser_of(request)} {flow.oauth_request.id.hex()} {did}"
    return forms.token_for(services(request).site.csrf_key, message)
