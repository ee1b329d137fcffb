"""Answers that waited for an event, and cannot be counted now that it is here, are put aside; and of which version a row is."""

from groundwork.database.revision import apply

revision = "0083"
down_revision = "0082"

_COLUMNS = "uri, did, collection, rev, step, reason, found_at, tried_at, times"

# SQLite takes no check away: the table is made anew.
SQL = f"""
create table records_put_aside_anew (
  uri text not null primary key,
  did text not null,
  collection text not null,
  rev text not null,
  cid text,
  step text not null check (step in ('taking', 'mending', 'counting')),
  reason text not null,
  found_at bigint not null,
  tried_at bigint not null,
  times integer not null check (times >= 1)
);
insert into records_put_aside_anew ({_COLUMNS}) select {_COLUMNS} from records_put_aside;
drop table records_put_aside;
alter table records_put_aside_anew rename to records_put_aside;
create index records_put_aside_by_repository on records_put_aside (did, step);
"""


def upgrade() -> None:
    apply(SQL)
