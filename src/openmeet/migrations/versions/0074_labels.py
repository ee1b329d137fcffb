"""What labellers say about accounts and events, and how far each labeller was read: moved on with its labels in one transaction."""

from groundwork.database.revision import apply

revision = "0074"
down_revision = "0073"

# A label that was taken back stays with ``negated``: the label before it, told again, is older and changes nothing. ``cid`` is empty
# where every version is meant. ``hides``: as its value was understood when it came.
SQL = """
create table labels (
  source text not null,
  subject text not null,
  value text not null,
  cid text not null,
  negated integer not null check (negated in (0, 1)),
  hides integer not null check (hides in (0, 1)),
  labelled_at bigint not null,
  expires_at bigint,
  heard_at bigint not null,
  primary key (subject, source, value, cid)
);
create index labels_by_expiry on labels (expires_at) where expires_at is not null;
create index labels_that_hide on labels (heard_at, subject) where hides = 1 and negated = 0;
create index labels_of_source on labels (source);

create table labellers (
  did text primary key,
  cursor bigint not null,
  state text not null check (state in ('following', 'failing', 'stopped')),
  reason text not null,
  changed_at bigint not null
);
"""


def upgrade() -> None:
    apply(SQL)
