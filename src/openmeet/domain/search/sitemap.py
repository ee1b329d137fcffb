"""Paths of public events and groups with their last change, for the sitemap. Events from the network are included only if
the site shows them by default (``events.unsolicited_lists``).
"""

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader
from openmeet.domain.events.unsolicited_lists import FrontPagePolicy, is_allowed_by
from openmeet.domain.events.visibility import is_hidden, is_public
from openmeet.domain.groups.queries import is_hidden as is_group_hidden
from openmeet.domain.page_paths import event_path, group_path

MAX_EVENTS = 20_000
MAX_GROUPS = 5_000
# Events that ended longer ago are not useful in search results.
PAST = 30 * DAY

_EVENTS = """
    select e.slug, e.updated_at from events e
     where e.over_at > :since and e.is_held = 0 and e.deleted_at is null and e.removed_at is null
       and {stands} and {public} and not {hidden}
     order by e.over_at, e.id limit :most
"""

_GROUPS = f"""
    select g.slug, g.updated_at from groups g
     where g.deleted_at is null and g.is_read_only = 0 and g.visibility = 'public' and not {is_group_hidden("g")}
     order by g.id limit :most
"""


async def paths_with_changes(reader: Reader, shown: FrontPagePolicy) -> list[tuple[str, Instant]]:
    """Paths with the instant of their last change: groups first, then events, soonest first."""
    groups = await reader.fetch(_GROUPS, most=MAX_GROUPS)
    conditions = {"stands": is_allowed_by("e", shown), "public": is_public("e"), "hidden": is_hidden("e")}
    events = await reader.fetch(_EVENTS.format(**conditions), since=Instant(reader.now - PAST), most=MAX_EVENTS)
    return [
        *((group_path(row["slug"]), row["updated_at"]) for row in groups),
        *((event_path(row["slug"]), row["updated_at"]) for row in events),
    ]
