"""Shared by the pages of ``/me/atproto``: the selected account, and the redirect to the page that requests missing
permissions.
"""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader
from groundwork.errors import Failure, NotFound, NotSignedIn
from openmeet.domain.identities import queries
from openmeet.domain.identities.model import Identity
from openmeet.domain.users.model import UserId
from openmeet.domain.users.queries import by_id
from openmeet.i18n.catalogue import lazy
from openmeet.network.repositories.agents import is_not_allowed
from openmeet.web.atproto.reasons import AtprotoReason
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

HERE: Final = "/me/atproto"
ALLOWING: Final = "/settings/identity"
ALLOW_FIRST: Final = lazy(
    "Your account server doesn’t let us write for you right now. Nothing was saved, and what you typed is still below. Sign in or allow it in a new window, then press the button here again."
)


async def selected_account(request: Request) -> tuple[Identity, str]:
    """The selected account (``account``, a DID) or the default one, and the caller's time zone.

    Raises NotFound if the user has no account, or if the account belongs to somebody else.
    """
    caller, account = caller_of(request), request.query_params.get("account", "")
    async with database_of(request).reader() as reader:
        accounts = await accounts_of(reader, caller.user_id)
        person = await by_id(reader, caller.user_id)
    if not accounts:
        raise NotFound(AtprotoReason.ACCOUNT_NEEDED)
    identity = next((one for one in accounts if account in {"", one.did}), None)
    if identity is None:
        raise NotFound(AtprotoReason.NOT_YOUR_ACCOUNT)
    settings = services(request).settings
    return identity, (person.time_zone if person else None) or settings.time_zone


def account_query(request: Request) -> str:
    """The query string that selects the account on other pages. Empty for the default account."""
    account = request.query_params.get("account", "")
    return "?" + urlencode({"account": account}) if account else ""


def needs_permission(failure: Failure) -> bool:
    """Whether the write failed because the user must first sign in or grant a permission at the PDS."""
    return isinstance(failure, NotSignedIn) or is_not_allowed(failure)


def permission_redirect(request: Request) -> Response:
    """Redirect to the page that requests permissions, which then returns to the record. Only used before the user has
    typed anything, because typed values would be lost.
    """
    return go(f"{ALLOWING}?" + urlencode({"next": request.url.path.removesuffix("/delete") + account_query(request)}))


async def accounts_of(reader: Reader, user_id: UserId) -> list[Identity]:
    """The accounts whose repositories can be shown, the default one first."""
    return [one for one in await queries.of_user(reader, user_id) if one.can_write and one.pds_url]
