"""Index jobs by partition."""

from groundwork.database.revision import execute

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    execute("create index outbox_jobs_by_partition on outbox_jobs (kind, partition, state, priority, due_at)")
