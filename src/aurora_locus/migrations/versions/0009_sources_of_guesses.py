"""Call the hashed device or address that wrong passwords are counted by what it is, the hash of a source."""

from groundwork.database.revision import execute

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    execute("alter table password_guesses rename column place to source_hash")
    execute("alter table known_places rename to known_sources")
    execute("alter table known_sources rename column place to source_hash")
    execute("drop index known_places_by_age")
    execute("create index known_sources_by_age on known_sources (seen_at)")
