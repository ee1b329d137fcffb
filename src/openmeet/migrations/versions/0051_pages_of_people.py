"""What people want on the page that everybody sees of them, nothing by default; and who follows whom."""

from groundwork.database.revision import apply

revision = "0051"
down_revision = "0050"

SQL = """
alter table users add column shows_about integer not null default 0 check (shows_about in (0, 1));
alter table users add column shows_groups integer not null default 0 check (shows_groups in (0, 1));
create table person_followers (
  user_id text not null references users (id) on delete cascade,
  followed_id text not null references users (id) on delete cascade,
  created_at bigint not null,
  primary key (user_id, followed_id),
  check (user_id <> followed_id)
);
alter table person_blocks add column is_known integer not null default 1 check (is_known in (0, 1));
alter table mutes add column is_known integer not null default 1 check (is_known in (0, 1));
alter table new_events add column after_person text default '';
create index person_followers_by_followed on person_followers (followed_id, user_id);
"""


def upgrade() -> None:
    apply(SQL)
