"""Positions of events that were derived from their town."""

from groundwork.database.revision import execute

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    # The town that was looked up last. The position is that of this town; if the town is unknown, there is none.
    execute("alter table events add column derived_from text not null default ''")
    execute(
        """
        create index events_to_place on events (id)
         where place_x is null and derived_from = '' and locality <> '' and latitude = ''
           and place_audience = 'everyone' and mode <> 'online' and deleted_at is null and removed_at is null
        """
    )
