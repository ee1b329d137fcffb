"""The source through which each repository was last received: a gap in a PDS's own stream concerns these. Empty if unknown."""

from groundwork.database.revision import apply

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SQL = """
alter table verified_repositories add column source text not null default '';
"""


def upgrade() -> None:
    apply(SQL)
