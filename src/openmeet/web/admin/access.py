"""Operators of the site, who are listed in the settings by e-mail address or DID. Everyone else gets NotFound for their
pages.
"""

from dataclasses import dataclass

from starlette.requests import Request

from groundwork.errors import Forbidden, NotFound, Reason
from openmeet.domain.identities.queries import setting_entry_of
from openmeet.domain.users.model import Caller
from openmeet.web.api.authentication import is_by_service
from openmeet.web.site.caller import caller_of
from openmeet.web.site.reasons import SiteReason
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of


class AdminReason(Reason):
    """Why the pages of operators are closed to somebody. The messages are in ``i18n/reasons/site.py``."""

    OPERATORS_ONLY = "admin.operators_only"


@dataclass(frozen=True, slots=True)
class SiteOperator:
    """An operator. ``listed_as`` is the entry in the settings that lists them; operators cannot change it themselves."""

    caller: Caller
    listed_as: str

    def __str__(self) -> str:
        return f"{self.caller.display_name} ({self.listed_as})"


async def operator_of(request: Request) -> SiteOperator:
    """The operator who made the request. Raises NotSignedIn, and NotFound for everyone else."""
    caller = caller_of(request)
    operators = services(request).settings.operators
    async with database_of(request).reader() as reader:
        setting_entry = await setting_entry_of(reader, caller.user_id, operators)
    if setting_entry is None:
        raise NotFound(SiteReason.NOTHING_HERE)
    return SiteOperator(caller, setting_entry)


async def require_operator_or_service(request: Request) -> None:
    """Require a service (already authenticated) or an operator. Raises NotSignedIn, and Forbidden for everyone else."""
    if is_by_service(request):
        return
    try:
        await operator_of(request)
    except NotFound:
        # The API documentation lists this path, so NotFound would hide nothing.
        raise Forbidden(AdminReason.OPERATORS_ONLY) from None
