"""When a shadow was claimed; claims of other accounts that wait for a yes, and what was joined by one."""

from groundwork.database.revision import apply

revision = "0030"
down_revision = "0029"

SQL = """
alter table users add column claimed_at bigint;

create table claims (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  other_id text references users (id) on delete set null,
  proof text not null check (proof in ('did', 'email')),
  created_at bigint not null,
  expires_at bigint not null,
  settled_at bigint,
  joined text not null,
  check (user_id <> other_id),
  unique (user_id, other_id)
);
create index claims_by_end on claims (expires_at);
create index claims_of_other on claims (other_id) where other_id is not null;
"""


def upgrade() -> None:
    apply(SQL)
