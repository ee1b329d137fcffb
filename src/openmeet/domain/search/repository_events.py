"""Events that have a record in one repository, in pages."""

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import COLUMNS, event_of
from openmeet.domain.events.visibility import is_hidden, is_kept_from, is_of_own_group, is_public
from openmeet.domain.moderation.blocks import is_out_of_lists
from openmeet.domain.search.my_event_lists import UNDATED, EventCursor
from openmeet.domain.users.model import UserId


async def of_repository(
    reader: Reader,
    did: str,
    *,
    viewer: UserId | None,
    since: Instant | None,
    until: Instant | None,
    after: EventCursor | None,
    limit: int,
    is_reverse: bool,
) -> list[Event]:
    """Events that have a record in a repository, ordered by start: public ones and those of the viewer's groups. Events
    without a date come last.

    Uses two statements, because a repository can have a hundred thousand dated events, and the index is ordered by
    start.
    """
    dated, values = _visible_conditions(did, viewer)
    undated = [*dated, "starts_at is null"]
    dated.append("starts_at is not null")
    if since is not None:
        dated.append("starts_at >= :since")
    if until is not None:
        dated.append("starts_at < :until")
    dated_values = values | {name: at for name, at in (("since", since), ("until", until)) if at is not None}
    behind = "<" if is_reverse else ">"
    is_among_undated = after is not None and after.starts_at == UNDATED
    if after is not None and is_among_undated:
        undated.append(f"id {behind} :after_id")
        values["after_id"] = after.event_id
    elif after is not None:
        dated.append(f"(starts_at, id) {behind} (cast(:after_start as bigint), :after_id)")
        dated_values |= {"after_start": after.starts_at, "after_id": after.event_id}
    down = " desc" if is_reverse else ""
    parts = [(dated, f"starts_at{down}, id{down}", dated_values), (undated, f"id{down}", values)]
    if since is not None or until is not None:
        del parts[1]
    if is_reverse:
        parts.reverse()
    if after is not None and is_among_undated is not is_reverse and len(parts) > 1:
        del parts[0]  # earlier pages have already covered this part
    events: list[Event] = []
    for clauses, order, bound in parts:
        if len(events) < limit:
            rows = await reader.fetch(
                f"select {COLUMNS} from events where {' and '.join(clauses)} order by {order} limit :limit",
                **bound,
                limit=limit - len(events),
            )
            events += map(event_of, rows)
    return events


def _visible_conditions(did: str, viewer: UserId | None) -> tuple[list[str], dict[str, object]]:
    """SQL conditions, with parameters, for the events of a repository that this viewer may see."""
    clauses = [
        "record_did = :did",
        "is_held = 0",
        "removed_at is null",
        "deleted_at is null",
        f"not {is_hidden('events')}",
    ]
    if viewer is None:
        return [*clauses, is_public("events")], {"did": did}
    clauses += [
        f"({is_public('events')} or {is_of_own_group('events')} and not {is_kept_from('events')})",
        f"not {is_out_of_lists('events.author_id', 'events.group_id')}",
    ]
    return clauses, {"did": did, "user_id": viewer, "viewer": viewer}
