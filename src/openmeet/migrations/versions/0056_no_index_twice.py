"""Drop two indexes that exist twice. Each was created under two names, which only makes writes slower."""

from groundwork.database.revision import execute

revision = "0056"
down_revision = "0055"


def upgrade() -> None:
    execute("drop index attendances_invited_as")  # same as attendances_by_address
    execute("drop index event_series_of_group")  # same as event_series_by_group
