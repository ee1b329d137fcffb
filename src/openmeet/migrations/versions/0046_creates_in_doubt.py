"""Creates that were sent and that nobody answered: they may still arrive, also when their key was given up."""

from groundwork.database.revision import apply

revision = "0046"
down_revision = "0045"

SQL = """
drop table late_sends;
create table creates_in_doubt (
  uri text not null,
  cid text not null,
  did text not null,
  sends integer not null check (sends > 0),
  last_sent_at bigint not null,
  primary key (uri, cid)
);
create index creates_in_doubt_of_repository on creates_in_doubt (did);
"""


def upgrade() -> None:
    apply(SQL)
