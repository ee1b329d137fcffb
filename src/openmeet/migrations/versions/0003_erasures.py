"""What remains of a deleted account: keyed hashes of uris with their revs."""

from groundwork.database.revision import apply

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SQL = """
create table erasures (
  hash bytea primary key,
  rev text not null,
  erased_at bigint not null
);
"""


def upgrade() -> None:
    apply(SQL)
