"""Reports of people without an account, and the addresses to which they get the decision."""

from groundwork.database.revision import apply, engine, execute, redefine

revision = "0047"
down_revision = "0046"


def upgrade() -> None:
    if engine() == "postgresql":
        execute("alter table reports alter column reporter_id drop not null")
    else:
        redefine("reports", "reporter_id text not null references", "reporter_id text references")
    apply("""
create table report_addresses (
  report_id text primary key references reports (id) on delete cascade,
  email text not null,
  language text not null,
  created_at bigint not null
);
create index report_addresses_by_email on report_addresses (email, created_at);
""")
