"""Store the tone of uploaded pictures. Earlier pictures have none."""

from groundwork.database.revision import execute

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    execute("alter table pictures add column tone integer check (tone between 0 and 8)")
    execute("alter table groups add column picture_tone integer check (picture_tone between 0 and 8)")
