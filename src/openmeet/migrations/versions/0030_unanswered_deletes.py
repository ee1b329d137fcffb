"""Remember a delete that was sent and got no response, even if the state of the publication changes in the meantime."""

from groundwork.database.revision import execute

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    execute("alter table publications add column deleting_cid text")
