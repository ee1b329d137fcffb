"""Find events whose town was looked up without success, to look it up again in a new list of places."""

from groundwork.database.revision import execute

revision = "0041"
down_revision = "0040"


def upgrade() -> None:
    execute("create index events_in_unknown_towns on events (id) where place_x is null and derived_from <> ''")
