"""What the address of one's account is asked to host, found among one's own events."""

from groundwork.database.revision import apply

revision = "0053"
down_revision = "0052"

SQL = """
create index event_hosts_of_address on event_hosts (email, state);
"""


def upgrade() -> None:
    apply(SQL)
