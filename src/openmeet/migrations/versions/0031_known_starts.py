"""Store the start of an event as each person knew it when they answered, so that a later move can be detected."""

from groundwork.database.revision import execute

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    execute("alter table attendances add column known_starts_at bigint")
    # Assume that everybody who has answered so far knows the current start.
    execute(
        "update attendances set known_starts_at = (select e.starts_at from events e where e.id = attendances.event_id)"
    )
