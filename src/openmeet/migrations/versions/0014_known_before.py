"""After which version a conflict was noticed, so that it can be decided anew when the time of the other side is known."""

from groundwork.database.revision import apply

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

SQL = """
alter table conflicts add column after_rev text not null default '';
"""


def upgrade() -> None:
    apply(SQL)
