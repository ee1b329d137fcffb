"""Their PDS first: an event of somebody who signs in with AT Protocol is others' to see when their repository has it.

The gate is for the first publication of what must be published: the row and its promise are committed, the request then
pays the promise at once under a deadline, and until the PDS has said yes the event is its author's draft. Whatever owes
no record is shown at once, and so is every later edit.
"""

from groundwork.database.transaction import Reader
from openmeet.domain.events.model import Details, GroupOfEvent
from openmeet.domain.events.promotion import Reach, reach
from openmeet.domain.identities import queries as identities
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.users.model import UserId
from openmeet.feature_flags import queries as flags
from openmeet.feature_flags.model import Flag


async def is_held_at_first(
    reader: Reader, author_id: UserId, details: Details, group: GroupOfEvent | None = None
) -> bool:
    """Whether a new event waits for its author's PDS: public, agreed to, and the repository is their own."""
    if reach(details.visibility, group) is Reach.NOTHING:
        return False
    if not (await identities.consent(reader, author_id)).is_given:
        return False
    if Flag.EVENTS_OUT not in await flags.switches(reader):
        return False
    writable = [one for one in await identities.of_user(reader, author_id) if one.can_write]
    return bool(writable) and writable[0].kind is IdentityKind.CONNECTED
