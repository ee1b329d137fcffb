"""Store when each event will be removed, for the scheduler."""

from groundwork.database.revision import execute

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    # Until now, all events stay, so the time is null.
    execute("alter table events add column removes_at bigint")
    execute(
        """
        create index events_to_remove on events (removes_at, id)
         where removes_at is not null and deleted_at is null and removed_at is null
        """
    )
