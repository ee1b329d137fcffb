"""What was sent and taken back, and may still arrive."""

from groundwork.database.revision import apply

revision = "0043"
down_revision = "0042"

SQL = """
create table late_sends (
  uri text primary key,
  kind text not null,
  subject_id text not null,
  did text not null,
  cids text not null,
  created_at bigint not null
);
create index late_sends_by_time on late_sends (created_at);
create index late_sends_of_repository on late_sends (did);
"""


def upgrade() -> None:
    apply(SQL)
