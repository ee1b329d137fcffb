"""Pictures that people sent, made anew; which event shows which, the event says."""

from groundwork.database.revision import apply

revision = "0024"
down_revision = "0023"

SQL = """
create table pictures (
  key text primary key,
  user_id text not null references users (id),
  width integer not null check (width > 0),
  height integer not null check (height > 0),
  size integer not null check (size > 0),
  created_at bigint not null
);
create index pictures_of_person on pictures (user_id, created_at);
create index pictures_by_age on pictures (created_at, key);
"""


def upgrade() -> None:
    apply(SQL)
