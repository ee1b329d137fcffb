"""What the record of an event says of its group: the uri of the group's record."""

from groundwork.database.transaction import Reader
from openmeet.domain.events.model import Event
from openmeet.domain.events.publication import Reach, reach_of
from openmeet.domain.groups import queries
from openmeet.domain.groups.publication import Share, share_of


async def group_part(reader: Reader, event: Event) -> str | None:
    """The group to name; None where the event goes out with the least only, or the network knows little of the group."""
    if event.group is None or reach_of(event) is not Reach.FULL:
        return None
    group = await queries.by_id(reader, event.group.id)
    return None if group is None or group.is_hidden or share_of(group) is not Share.ALL else group.network.record_uri
