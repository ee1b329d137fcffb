"""Add an index that finds jobs by their partition."""

from groundwork.database.revision import execute

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    execute("create index outbox_jobs_by_partition on outbox_jobs (kind, partition, state, priority, due_at)")
