"""Store the language of each requested e-mail."""

from groundwork.database.revision import execute

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for table in ("email_tokens", "sign_in_links"):
        execute(f"alter table {table} add column language text not null default 'en'")
