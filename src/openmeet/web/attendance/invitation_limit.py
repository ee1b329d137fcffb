"""Limit on invitations by e-mail address, for the page and the API."""

from starlette.requests import Request

from openmeet.domain.attendance import host_decisions
from openmeet.domain.events.model import EventSlug
from openmeet.domain.sign_in.model import check_email
from openmeet.domain.users.model import Caller
from openmeet.web.site.rate_limits import spend_on_invitations
from openmeet.web.site.tenant_routing import database_of


async def spend_on_invitation(request: Request, caller: Caller, slug: EventSlug, address: str) -> None:
    """Count an invitation by address, before the event is locked. Raises TooMany, InvalidForm (``email``), NotFound and
    Forbidden.
    """
    email = check_email(address)
    async with database_of(request).reader() as reader:
        await host_decisions.find_hosted_event(reader, caller, slug)
    await spend_on_invitations(request, caller.user_id, [email])
