"""Records of series, groups and memberships are promised like those of events and answers."""

from groundwork.database.revision import apply

revision = "0041"
down_revision = "0040"

_COLUMNS = """kind, subject_id, user_id, state, revision, sent_revision, did, uri, chosen_cid, chosen_body, chosen_revision,
    base_cid, base_body, base_rev, edits, merged, was_merged, reason, attempts, rounds, writes, writes_since, due_at, lease,
    leased_until, edited_at, changed_at, is_recalled, was_lost, earlier_cids"""

# SQLite takes no check away: the table is made anew.
SQL = f"""
create table publications_of_more (
  kind text not null check (kind in ('event', 'rsvp', 'series', 'group', 'membership')),
  subject_id text not null,
  user_id text not null references users (id),
  state text not null check (state in ('withheld', 'waiting', 'due', 'sending', 'published', 'retrying', 'blocked',
                                       'refused', 'conflicted', 'retracting', 'retracted')),
  revision bigint not null,
  sent_revision bigint not null default 0,
  did text,
  uri text unique,
  chosen_cid text,
  chosen_body bytea,
  chosen_revision bigint,
  base_cid text,
  base_body bytea,
  base_rev text,
  edits bytea,
  merged bytea,
  was_merged integer not null default 0 check (was_merged in (0, 1)),
  reason text not null default '',
  attempts integer not null default 0,
  rounds integer not null default 0,
  writes integer not null default 0,
  writes_since bigint not null default 0,
  due_at bigint not null,
  lease bigint not null default 0,
  leased_until bigint,
  edited_at bigint not null,
  changed_at bigint not null,
  is_recalled integer not null default 0 check (is_recalled in (0, 1)),
  was_lost integer not null default 0 check (was_lost in (0, 1)),
  earlier_cids text not null default '',
  primary key (kind, subject_id)
);
insert into publications_of_more ({_COLUMNS}) select {_COLUMNS} from publications;
drop table publications;
alter table publications_of_more rename to publications;
create index publications_by_due on publications (state, due_at);
create index publications_by_user on publications (user_id);
"""


def upgrade() -> None:
    apply(SQL)
