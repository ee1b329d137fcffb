"""Events of one group, as members and as strangers find them listed."""

from groundwork.database.transaction import Reader
from openmeet.browsing.queries import Position
from openmeet.events.model import Event
from openmeet.events.queries import COLUMNS, event_of, is_hidden, is_public
from openmeet.groups.model import GroupId


async def coming_in_group(
    reader: Reader, group_id: GroupId, after: Position | None, limit: int, *, is_member: bool
) -> list[Event]:
    """Events of a group that are not over, by start: all of them for members, the public ones for everybody else."""
    clauses = [
        "group_id = :group_id",
        "is_held = 0",
        "removed_at is null",
        "deleted_at is null",
        "over_at > :now",
        f"not {is_hidden('events')}",
    ]
    values: dict[str, object] = {"group_id": group_id, "now": reader.now, "limit": limit}
    if not is_member:
        clauses.append(is_public("events"))
    if after is not None:
        clauses.append("(starts_at, id) > (:after_start, :after_id)")
        values |= {"after_start": after.starts_at, "after_id": after.event_id}
    rows = await reader.fetch(
        f"select {COLUMNS} from events where {' and '.join(clauses)} order by starts_at, id limit :limit", **values
    )
    return [event_of(row) for row in rows]
