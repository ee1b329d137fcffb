"""The browser and system of a session, so that people recognise it in their list."""

from groundwork.database.revision import apply

revision = "0046"
down_revision = "0045"


def upgrade() -> None:
    apply("""
alter table sessions add column browser text not null default '';
alter table sessions add column system text not null default '';
""")
