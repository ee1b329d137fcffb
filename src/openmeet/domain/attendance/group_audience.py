"""How many people in a group are notified of a new event, before it is published.

The conditions are those of the fan-out (``event_changes.GROUP_LISTENERS``). People who are mentioned get the mention
instead, and count like all others.
"""

from typing import Final

from groundwork.database.transaction import Reader
from openmeet.domain.events.model import GroupOfEvent, narrowed
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups.membership_queries import LISTENING_FOLLOWERS, LISTENING_MEMBERS, listening_in
from openmeet.domain.moderation.blocks import is_unwilling
from openmeet.domain.notifications import preferences
from openmeet.domain.notifications.event_kinds import GROUP_EVENT
from openmeet.domain.notifications.preferences import AudienceSize
from openmeet.domain.users.model import UserId

# Whoever opens the form waits for the count. Two thousand take about 10 ms.
MAX_COUNTED: Final = 2_000

_RECIPIENTS: Final = f"""
    with recipients as (
           select l.user_id, cast(:topic as text) as topic, 1 as is_mailed from ({{listening}}) l
            where l.user_id <> :author and not {is_unwilling("l.user_id")} limit :limit)
"""


async def audience_of_new_event(
    reader: Reader, group: GroupOfEvent, visibility: Visibility, author: UserId
) -> AudienceSize | None:
    """The people whom a new event of this person in the group notifies. None if they are more than ``MAX_COUNTED``."""
    # By their role alone, only members see private events.
    is_private = narrowed(visibility, group) is Visibility.PRIVATE
    listening = LISTENING_MEMBERS if is_private else f"{LISTENING_MEMBERS} union all {LISTENING_FOLLOWERS}"
    size = await preferences.count(
        reader,
        _RECIPIENTS.format(listening=listening),
        {
            **listening_in(group.id, with_followers=not is_private),
            "topic": GROUP_EVENT.topic.value,
            "author": author,
            "sources": sorted({author, group.id}),
            "limit": MAX_COUNTED + 1,
        },
        [GROUP_EVENT.topic],
    )
    return None if size.considered > MAX_COUNTED else size
