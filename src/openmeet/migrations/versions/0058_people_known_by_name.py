"""People of a list that somebody imported who are known by their name alone: nobody can write to them."""

from groundwork.database.revision import apply

revision = "0058"
down_revision = "0057"

SQL = """
create table imported_names (
  what text not null check (what in ('guests', 'members')),
  target text not null,
  name text not null check (name <> ''),
  status text not null,
  created_at bigint not null,
  primary key (what, target, name)
);
"""


def upgrade() -> None:
    apply(SQL)
