"""Links in e-mails to an account that was merged into another one."""

from groundwork.database.revision import execute

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    execute(
        """
        create table former_email_links (
          token_hash bytea primary key,
          user_id text not null references users (id) on delete cascade,
          purpose text not null check (purpose in ('unsubscribe', 'answer', 'chat')),
          subject text not null,
          created_at bigint not null,
          expires_at bigint
        )
        """
    )
    execute("create index former_email_links_by_user on former_email_links (user_id)")
    execute("create index former_email_links_by_subject on former_email_links (subject)")
