"""Index of visitors' reports that were decided, which are deleted after a while."""

from groundwork.database.revision import execute

revision = "0049"
down_revision = "0048"


def upgrade() -> None:
    execute(
        "create index reports_of_visitors_decided on reports (closed_at) where reporter_id is null and closed_at is not null"
    )
