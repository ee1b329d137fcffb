"""The last readable version of an event record whose newest one cannot be read. Edits made here are merged with it as the
base. The rev is empty if it was unproven.
"""

from groundwork.database.revision import execute

revision = "0061"
down_revision = "0060"


def upgrade() -> None:
    execute("alter table records add column readable_rev text")
    execute("alter table records add column readable_cid text")
    execute("alter table records add column readable_body bytea")
