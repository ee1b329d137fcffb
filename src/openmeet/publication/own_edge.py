"""Whose records ``/me/atproto`` shows, and where somebody is sent whose server does not let us write."""

from typing import Final

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
    """The caller's identity and zone. Raises NotFound for people without an identity of their own."""
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        identity = await _identity(reader, caller.user_id)
        person = await by_id(reader, caller.user_id)
    if identity is None:
        raise NotFound("Connect an AT Protocol account first: this page shows what stands at its server.")
    settings: Settings = request.app.state.settings
    return identity, (person.time_zone if person else None) or settings.time_zone


def leads_to_allowing(failure: Failure) -> Response | None:
    """Who has to sign in, or to allow this, is sent to where that is done."""
    return go("/settings/identity") if isinstance(failure, NotSignedIn) or is_not_allowed(failure) else None


async def _identity(reader: Reader, user_id: UserId) -> Identity | None:
    return next((one for one in await queries.of_user(reader, user_id) if one.can_write and one.pds_url), None)
