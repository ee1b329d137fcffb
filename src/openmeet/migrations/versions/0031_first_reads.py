"""How far the reading of a repository is whose owner has signed in."""

from groundwork.database.revision import apply

revision = "0031"
down_revision = "0030"

SQL = """
create table first_reads (
  did text primary key references identities (did) on delete cascade,
  stage text not null check (stage in ('waiting', 'reading', 'applying', 'delayed', 'done')),
  total integer not null check (total >= 0),
  applied integer not null check (applied >= 0),
  reason text not null,
  asked_at bigint not null,
  finished_at bigint,
  check ((stage = 'done') = (finished_at is not null))
);
"""


def upgrade() -> None:
    apply(SQL)
