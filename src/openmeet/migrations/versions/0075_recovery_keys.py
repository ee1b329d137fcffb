"""Recovery keys of repositories that are kept for people: sealed, until their people have them."""

from groundwork.database.revision import apply

revision = "0075"
down_revision = "0074"

# ``did`` is null until the account is made, ``taken_over_at`` until its person took it over.
SQL = """
create table recovery_keys (
  public_key text primary key,
  user_id text not null references users (id),
  did text unique,
  sealed bytea not null,
  taken_over_at bigint,
  created_at bigint not null
);
create index recovery_keys_of_user on recovery_keys (user_id);
create index recovery_keys_waiting on recovery_keys (taken_over_at) where taken_over_at is not null;
"""


def upgrade() -> None:
    apply(SQL)
