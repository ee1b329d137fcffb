"""Updates that were sent and that nobody answered: they may still arrive, and match where the same bytes have come again."""

from groundwork.database.revision import apply

revision = "0068"
down_revision = "0067"

SQL = """
create table updates_in_doubt (
  uri text not null,
  cid text not null,
  instead_of text not null,
  did text not null,
  sends integer not null check (sends > 0),
  last_sent_at bigint not null,
  primary key (uri, cid, instead_of)
);
create index updates_in_doubt_of_repository on updates_in_doubt (did);
create index updates_in_doubt_by_age on updates_in_doubt (last_sent_at);
"""


def upgrade() -> None:
    apply(SQL)
