"""What a submission said, so that its key with something else in it is refused instead of answered."""

from groundwork.database.revision import apply

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SQL = """
alter table events add column submission_digest bytea;
"""


def upgrade() -> None:
    apply(SQL)
