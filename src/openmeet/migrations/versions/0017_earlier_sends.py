"""What was sent before the last send, and may still arrive."""

from groundwork.database.revision import apply

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# CIDs, each after a space.
SQL = """
alter table publications add column earlier_cids text not null default '';
"""


def upgrade() -> None:
    apply(SQL)
