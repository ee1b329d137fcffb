"""Whose records ``/me/atproto`` shows, and where somebody is sent whose server does not let us write."""

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
from openmeet.network.repositories.agents import is_not_allowed
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

HERE: Final = "/me/atproto"
ALLOWING: Final = "/settings/identity"
ALLOW_FIRST: Final = (
    "Your server does not let this site write for you at the moment. Nothing was written, and what you typed stands below: sign in or"
    " allow it in a window of its own, then press the button here again."
)


async def mine(request: Request) -> tuple[Identity, str]:
    """The account that the caller chose (``account``, a DID), or theirs for new records; and their zone.

    Raises NotFound for people without an account of their own, and for one that is not theirs.
    """
    caller, chosen = caller_of(request), request.query_params.get("account", "")
    async with database_of(request).reader() as reader:
        accounts = await accounts_of(reader, caller.user_id)
        person = await by_id(reader, caller.user_id)
    if not accounts:
        raise NotFound("Connect an AT Protocol account first: this page shows what stands at its server.")
    identity = next((one for one in accounts if chosen in {"", one.did}), None)
    if identity is None:
        raise NotFound("This account is not yours here.")
    settings = services(request).settings
    return identity, (person.time_zone if person else None) or settings.time_zone


def of_account(request: Request) -> str:
    """What stands behind the path of each page about the account that was chosen; empty where none was."""
    chosen = request.query_params.get("account", "")
    return "?" + urlencode({"account": chosen}) if chosen else ""


def wants_allowing(failure: Failure) -> bool:
    """Whether their person has to sign in, or to allow this, before anything is written."""
    return isinstance(failure, NotSignedIn) or is_not_allowed(failure)


def to_allowing(request: Request) -> Response:
    """Who typed nothing is sent to where it is allowed, and from there back to the record."""
    return go(f"{ALLOWING}?" + urlencode({"next": request.url.path.removesuffix("/delete") + of_account(request)}))


async def accounts_of(reader: Reader, user_id: UserId) -> list[Identity]:
    """The accounts whose repositories can be shown, that for new records first."""
    return [one for one in await queries.of_user(reader, user_id) if one.can_write and one.pds_url]
