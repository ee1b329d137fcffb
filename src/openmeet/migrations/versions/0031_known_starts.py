"""The start of an event as known to whoever answered, so that a later move can be told from it."""

from groundwork.database.revision import execute

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    execute("alter table attendances add column known_starts_at bigint")
    # Who has answered by now knows the present start.
    execute(
        "update attendances set known_starts_at = (select e.starts_at from events e where e.id = attendances.event_id)"
    )
