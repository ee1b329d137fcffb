"""What news are about, beside the event: who answered what, and from when to when it was moved."""

from groundwork.database.revision import apply

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SQL = """
alter table notifications add column particulars text not null default '{}';
"""


def upgrade() -> None:
    apply(SQL)
