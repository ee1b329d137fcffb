"""Records that events and series had before they changed hands; and to whom an event is offered."""

from groundwork.database.revision import apply

revision = "0059"
down_revision = "0058"

_COLUMNS = """kind, subject_id, user_id, state, revision, sent_revision, did, uri, chosen_cid, chosen_body, chosen_revision,
    base_cid, base_body, base_rev, edits, merged, was_merged, reason, attempts, rounds, writes, writes_since, due_at, lease,
    leased_until, edited_at, changed_at, is_recalled, was_lost, earlier_cids,
    looks_again"""

# SQLite takes no check away: the table is made anew.
SQL = f"""
create table publications_of_owners (
  kind text not null
    check (kind in ('event', 'rsvp', 'series', 'group', 'former_group', 'former_event', 'former_series', 'membership',
                    'acceptance', 'group_event')),
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
  looks_again integer not null default 0 check (looks_again in (0, 1)),
  primary key (kind, subject_id)
);
insert into publications_of_owners ({_COLUMNS}) select {_COLUMNS} from publications;
drop table publications;
alter table publications_of_owners rename to publications;
create index publications_by_due on publications (state, due_at);
create index publications_by_user on publications (user_id);

create table former_records (
  uri text primary key,
  kind text not null check (kind in ('event', 'series')),
  subject_id text not null,
  is_authors integer not null check (is_authors in (0, 1)),
  is_there integer not null check (is_there in (0, 1)),
  created_at bigint not null
);
create index former_records_of_subject on former_records (kind, subject_id, created_at);

alter table event_hosts add column offered_at bigint;
create unique index event_hosts_offered on event_hosts (event_id) where offered_at is not null;
"""


def upgrade() -> None:
    apply(SQL)
