"""Whose records ``/me/atproto`` shows, and where somebody is sent whose server does not let us write."""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader
from groundwork.errors import Failure, NotFound, NotSignedIn
from openmeet.identities import queries
from openmeet.identities.agents import is_not_allowed
from openmeet.identities.model import Identity
from openmeet.settings import Settings
from openmeet.site.frame import go
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_of
from openmeet.users.model import UserId
from openmeet.users.queries import by_id

HERE: Final = "/me/atproto"


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
    settings: Settings = request.app.state.settings
    return identity, (person.time_zone if person else None) or settings.time_zone


def of_account(request: Request) -> str:
    """What stands behind the path of each page about the account that was chosen; empty where none was."""
    chosen = request.query_params.get("account", "")
    return "?" + urlencode({"account": chosen}) if chosen else ""


def leads_to_allowing(request: Request, failure: Failure) -> Response | None:
    """Who has to sign in, or to allow this, is sent to where that is done, and from there back to the form."""
    if not isinstance(failure, NotSignedIn) and not is_not_allowed(failure):
        return None
    form = request.url.path.removesuffix("/delete") + of_account(request)
    return go("/settings/identity?" + urlencode({"next": form}))


async def accounts_of(reader: Reader, user_id: UserId) -> list[Identity]:
    """The accounts whose repositories can be shown, that for new records first."""
    return [one for one in await queries.of_user(reader, user_id) if one.can_write and one.pds_url]
