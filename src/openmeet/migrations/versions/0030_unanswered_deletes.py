"""Remember a delete that was sent and not answered, whatever becomes of the publication meanwhile."""

from groundwork.database.revision import execute

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    execute("alter table publications add column deleting_cid text")
