"""Limit on invitations by e-mail address, for the page and the API."""

from starlette.requests import Request

from openmeet.domain.attendance import invitations
from openmeet.domain.events.model import EventSlug
from openmeet.domain.users.model import Caller
from openmeet.web.site.rate_limits import spend_on_invitations
from openmeet.web.site.tenant_routing import database_of


async def spend_on_invitation(
    request: Request, caller: Caller, slug: EventSlug, address: str, *, for_series: bool
) -> None:
    """Count an invitation by address, before the event is locked. Refused invitations are not counted. Raises TooMany,
    and whatever ``invitations.invite`` raises.
    """
    async with database_of(request).reader() as reader:
        email = await invitations.address_to_invite(reader, caller, slug, address, for_series=for_series)
    await spend_on_invitations(request, caller.user_id, [email])
