"""Rename a column of updates in flight: the version that the update replaces."""

from groundwork.database.revision import execute

revision = "0054"
down_revision = "0053"


def upgrade() -> None:
    execute("alter table in_flight_updates rename column instead_of to replaced_cid")
