"""Who is invited to every date of a series, also to later ones."""

from groundwork.database.revision import apply

revision = "0039"
down_revision = "0038"

SQL = """
create table event_series_invitations (
  series_id text not null references event_series (id),
  user_id text not null references users (id) on delete cascade,
  invited_by text not null references users (id),
  invited_as text not null,
  created_at bigint not null,
  primary key (series_id, user_id)
);
create index event_series_invitations_by_user on event_series_invitations (user_id, series_id);
"""


def upgrade() -> None:
    apply(SQL)
