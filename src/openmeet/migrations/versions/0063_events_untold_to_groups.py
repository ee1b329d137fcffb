"""Which events of groups are yet to be told to their people: found without looking at all that are coming."""

from groundwork.database.revision import apply

revision = "0063"
down_revision = "0062"

SQL = """
alter table events add column is_told_to_group integer not null default 0 check (is_told_to_group in (0, 1));
update events set is_told_to_group = 1
 where group_id is not null
   and (id in (select event_id from group_events_told)
        or series_id in (select o.series_id from group_events_told t join events o on o.id = t.event_id
                          where o.series_id is not null));
create index events_untold_to_groups on events (updated_at, id)
 where is_told_to_group = 0 and group_id is not null and is_held = 0 and deleted_at is null and removed_at is null;
"""


def upgrade() -> None:
    apply(SQL)
