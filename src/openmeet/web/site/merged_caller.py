"""Requests of users whose account is merged into another one while the request runs (``account_merge``)."""

from collections.abc import Awaitable

from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import ForeignKeyViolated, TransactionConflict
from openmeet.domain.account_merge.merge import is_there
from openmeet.domain.users.model import UserId
from openmeet.web.site.caller import caller_or_none
from openmeet.web.site.reasons import SiteReason
from openmeet.web.site.tenant_routing import database_of


async def respond_for_merged(request: Request, answering: Awaitable[Response]) -> Response:
    """The response. Raises TransactionConflict if a merge has deleted the caller's row.

    In that case nothing was saved, and the session now belongs to the remaining user. So a retry runs as that user.
    """
    try:
        return await answering
    except ForeignKeyViolated as gone:
        caller = caller_or_none(request)
        if caller is None or await _is_known(request, caller.user_id):
            raise
        raise TransactionConflict(SiteReason.ACCOUNTS_JOINED) from gone


async def _is_known(request: Request, user_id: UserId) -> bool:
    async with database_of(request).reader() as reader:
        return await is_there(reader, user_id)
