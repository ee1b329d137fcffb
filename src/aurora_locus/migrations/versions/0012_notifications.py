"""On PostgreSQL other processes hear of each event when it is committed."""

from groundwork.database.revision import apply, engine

revision = "0012"
down_revision = "0011"

# The number lets whoever announced it go on without a look.
POSTGRESQL = """
create function events_are_told() returns trigger language plpgsql as $$
begin
    perform pg_notify(tg_table_schema || '_events', new.seq::text);
    return null;
end
$$;
create trigger events_are_told after insert on events
    for each row execute function events_are_told();
"""


def upgrade() -> None:
    """SQLite knows no notifications, and one process serves it."""
    if engine() == "postgresql":
        apply(POSTGRESQL)
