"""Where the time zone of an event comes from, so that events without one are shown in the zone of their place.

Records from other apps that name no zone were stored with UTC. Those that name UTC are told apart when they are next
read.
"""

from groundwork.database.revision import execute

revision = "0052"
down_revision = "0051"


def upgrade() -> None:
    execute("alter table events add column zone_source text not null default 'named'")
    execute("update events set zone_source = 'unknown' where origin = 'network' and time_zone = 'UTC'")
    execute(
        """
        create index events_to_zone on events (id)
         where zone_source = 'unknown' and place_x is not null and is_all_day = 0 and series_id is null
           and deleted_at is null and removed_at is null
        """
    )
    execute("create index events_without_zone on events (id) where zone_source = 'not_found'")
