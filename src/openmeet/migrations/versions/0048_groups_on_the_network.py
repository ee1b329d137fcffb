"""Groups as records: where theirs stand, who speaks for them, what repositories say of belonging to one.

``external_id`` is the uri of a group's record, and of a member's own statement. A group that is kept elsewhere is only read.
"""

from groundwork.database.revision import apply

revision = "0048"
down_revision = "0047"

_COLUMNS = """kind, subject_id, user_id, state, revision, sent_revision, did, uri, chosen_cid, chosen_body, chosen_revision,
    base_cid, base_body, base_rev, edits, merged, was_merged, reason, attempts, rounds, writes, writes_since, due_at, lease,
    leased_until, edited_at, changed_at, is_recalled, was_lost, earlier_cids"""

# SQLite takes no check away: the table is made anew.
SQL = f"""
create table publications_of_groups (
  kind text not null
    check (kind in ('event', 'rsvp', 'series', 'group', 'former_group', 'membership', 'acceptance', 'group_event')),
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
insert into publications_of_groups ({_COLUMNS}) select {_COLUMNS} from publications;
drop table publications;
alter table publications_of_groups rename to publications;
create index publications_by_due on publications (state, due_at);
create index publications_by_user on publications (user_id);

alter table groups add column account_id text references users (id);
alter table groups add column is_read_only integer not null default 0
  check (is_read_only in (0, 1) and (is_read_only = 0 or external_id is not null));
create unique index groups_by_record on groups (external_id) where external_id is not null;
create index groups_by_account on groups (account_id) where account_id is not null;

alter table group_members add column network_role text not null default ''
  check (network_role in ('', 'owner', 'admin', 'moderator', 'member'));
create index group_members_by_statement on group_members (external_id) where external_id is not null;

create table group_former_records (
  uri text primary key,
  group_id text not null references groups (id),
  cid text not null,
  created_at bigint not null
);
create index group_former_records_of_group on group_former_records (group_id, created_at);

create table group_statements (
  uri text primary key,
  saying text not null check (saying in ('membership', 'acceptance', 'event')),
  did text not null,
  group_uri text not null,
  about text not null,
  role text not null check (role in ('owner', 'admin', 'moderator', 'member')),
  refers_to text not null
);
create index group_statements_of_group on group_statements (group_uri, saying, about);
create index group_statements_about on group_statements (about, saying);
create index group_statements_of_repository on group_statements (did);
"""


def upgrade() -> None:
    apply(SQL)
