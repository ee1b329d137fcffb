"""Rename the columns that have the id of an e-mail."""

from groundwork.database.revision import apply

revision = "0006"
down_revision = "0005"

SQL = """
drop index email_tokens_by_letter;
alter table email_tokens rename column letter to email_id;
create unique index email_tokens_by_email on email_tokens (email_id);
alter table sign_in_links rename column letter to email_id;
"""


def upgrade() -> None:
    apply(SQL)
