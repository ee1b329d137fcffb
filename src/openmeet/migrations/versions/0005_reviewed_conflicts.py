"""What can be reversed about a merge: both sides' values as they were, and what the host chose."""

from groundwork.database.revision import apply

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SQL = """
alter table conflicts add column ours_values bytea;
alter table conflicts add column theirs_values bytea;
alter table conflicts add column choice text check (choice in ('ours', 'theirs'));
"""


def upgrade() -> None:
    apply(SQL)
