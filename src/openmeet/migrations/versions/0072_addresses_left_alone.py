"""Hashes of addresses that get no letters any more which other people cause."""

from groundwork.database.revision import apply

revision = "0072"
down_revision = "0071"

SQL = """
create table addresses_left_alone (
    address text not null primary key,
    created_at bigint not null
);
"""


def upgrade() -> None:
    apply(SQL)
