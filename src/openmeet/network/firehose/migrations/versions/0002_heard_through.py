"""Through which source each repository was last heard of: whom a gap in a PDS's own stream concerns. Empty where it was not noted yet."""

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
