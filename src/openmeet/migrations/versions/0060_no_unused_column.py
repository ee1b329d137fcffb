"""Drop a column of publications that nothing reads or writes."""

from groundwork.database.revision import execute

revision = "0060"
down_revision = "0059"


def upgrade() -> None:
    execute("alter table publications drop column taken_back_uri")
