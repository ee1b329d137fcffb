"""The author's name in the forms for an event and a group. A person who skipped it when they joined is asked before they
publish.
"""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request

from openmeet.domain.identities.public_names import has_public_name
from openmeet.domain.users import actions
from openmeet.domain.users.model import Caller
from openmeet.i18n.catalogue import lazy
from openmeet.web.site.tenant_routing import database_of

LABELS: Final = {"display_name": lazy("Your name")}


async def is_missing(request: Request, caller: Caller | None) -> bool:
    """Whether the form must ask for the name. A visitor is asked after signing in."""
    if caller is None or caller.display_name:
        return False
    async with database_of(request).reader() as reader:
        return not await has_public_name(reader, caller.user_id)


async def store_if_missing(request: Request, caller: Caller | None, form: Mapping[str, str]) -> None:
    """Store the name that the form has, if the person has none yet. Raises InvalidForm."""
    if caller is not None and await is_missing(request, caller):
        async with database_of(request).transaction() as tx:
            await actions.choose_name(tx, caller.user_id, form.get("display_name", ""))
