"""Servers that fail and are left alone for a while, by every program of an installation."""

from groundwork.database.revision import apply

revision = "0050"
down_revision = "0049"

SQL = """
create table pds_circuits (
  service text primary key,
  failures integer not null,
  pauses integer not null,
  open_until bigint not null,
  reason text not null,
  changed_at bigint not null
);
create index identities_by_server on identities (pds_url);
"""


def upgrade() -> None:
    apply(SQL)
