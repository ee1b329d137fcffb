"""End the session of a browser or a program, or all sessions, and optionally our sessions at the PDS.

Sessions on this site end in one transaction. Other servers are notified afterwards, so that an unavailable server
cannot keep anyone signed in.
"""

from collections.abc import Sequence

from starlette.requests import Request

from openmeet.domain.identities import session_queries
from openmeet.domain.identities.model import SealedSession
from openmeet.domain.sign_in import actions
from openmeet.domain.users.model import Caller, UserId
from openmeet.network.repositories import sessions
from openmeet.web.site import session
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of


async def end_browser(request: Request, caller: Caller | None, *, at_servers: bool) -> str:
    """End this browser's session. With ``at_servers``, also end our sessions at the PDS of each account. Returns the
    flash message.
    """
    token, goes_on = session.cookie_token(request), False
    ended: Sequence[SealedSession] = ()
    if token:
        async with database_of(request).transaction() as tx:
            await actions.close_session(tx, token)
            if caller is not None and at_servers:
                ended = await sessions.delete_all(tx, caller.user_id)
            elif caller is not None:
                goes_on = await session_queries.has_session_at_servers(tx, caller.user_id)
    if caller is not None:
        await revoke_at_servers(request, caller.user_id, ended)
    if at_servers:
        return "signed_out_at_servers"
    return "signed_out_here" if goes_on else "signed_out"


async def end_everywhere(request: Request, caller: Caller) -> None:
    """End every session: those of browsers and programs on this site, and our session at the PDS of each account."""
    async with database_of(request).transaction() as tx:
        ended = await sessions.delete_all(tx, caller.user_id)
        await actions.close_sessions_of(tx, caller.user_id)
    await revoke_at_servers(request, caller.user_id, ended)


async def revoke_at_servers(request: Request, user_id: UserId, ended: Sequence[SealedSession]) -> None:
    """End the dropped sessions at their servers. On a site without network access, these sessions expire instead."""
    network = services(request).network
    if ended and network is not None:
        await sessions.revoke_all_at_servers(database_of(request), network, user_id, ended)
