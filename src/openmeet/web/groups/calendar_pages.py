"""What stands in the calendar file of a group for one reader: its series, each whole, and the events beside them.

However many series there are, they are read by the same few statements, and no more than ``gathered_series`` says. What is followed from the network stays single dates: of a
rule that somebody elsewhere keeps, the group promises nothing.
"""

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.events.model import Visibility
from openmeet.domain.groups.model import Group, GroupId
from openmeet.domain.moderation.blocks import blockers_of
from openmeet.domain.search.group_events import between_in_group, seen_in_group
from openmeet.domain.series.calendar_uids import sequences
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import UserId
from openmeet.web.events import feeds
from openmeet.web.groups import feeds as group_feed
from openmeet.web.series.feeds import WholeSeries
from openmeet.web.series.gathered_series import candidates, gathered


async def calendar_file(
    reader: Reader, group: Group, public_url: str, *, member: UserId | None, runs: bool
) -> tuple[bytes, Instant]:
    """The file, and when it changed. ``member``: who reads, where they are in the group; ``runs``: and it is theirs to run."""
    start, end = Instant(reader.now - group_feed.PAST), Instant(reader.now + group_feed.AHEAD)
    series = await _whole_series(reader, group.id, start, member=member, runs=runs)
    single = await between_in_group(
        reader, group.id, start, end, group_feed.MOST, member=member, besides=[one.series.id for one in series]
    )
    told = [*single, *(event for one in series for event in one.shown)]
    numbers = await sequences(reader, [event.id for event in told])
    file = group_feed.calendar_of(group, series, single, numbers, reader.now, public_url, is_public=member is None)
    since = max([group.updated_at, *(one.series.updated_at for one in series)])
    return file, feeds.changed_at(told, reader.now, since)


async def _whole_series(
    reader: Reader, group_id: GroupId, since: Instant, *, member: UserId | None, runs: bool
) -> list[WholeSeries]:
    """The series of the group that this reader may see, with their dates from ``since`` on."""
    seen, values = seen_in_group(group_id, member)
    known = await candidates(reader, "group_id", group_id, seen, values)
    blockers = await blockers_of(reader, {one.owner_id for one in known}, member)
    series = [one for one in known if _may_see(one, member, is_kept_away=one.owner_id in blockers and not runs)]
    return await gathered(reader, series, since, seen, values)


def _may_see(series: Series, member: UserId | None, *, is_kept_away: bool) -> bool:
    """As the group's lists show its dates: to strangers what is public in it, to members all but what its host keeps from them."""
    if member is None:
        return not series.is_hidden and series.template.visibility is Visibility.PUBLIC
    if member == series.owner_id:
        return True
    return not series.is_hidden and not (is_kept_away and series.visibility is Visibility.PRIVATE)
