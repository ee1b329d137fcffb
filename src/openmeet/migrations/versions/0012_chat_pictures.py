"""Pictures in chat messages, and the Matrix events that show them.

A message lists its pictures in ``details``. A row here says which message the stored files belong to. A row that
belongs to no message, and is not waiting for one, will be deleted together with its files.
"""

from groundwork.database.revision import execute

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    execute(
        """
        create table chat_pictures (
          key text primary key,
          user_id text references users (id),
          message_id text references chat_messages (id) on delete set null,
          width integer not null check (width > 0),
          height integer not null check (height > 0),
          size bigint not null check (size > 0),
          waits_until bigint,
          created_at bigint not null,
          constraint chat_pictures_sent_waits_no_more check (message_id is null or waits_until is null)
        )
        """
    )
    execute("create index chat_pictures_of_message on chat_pictures (message_id) where message_id is not null")
    execute("create index chat_pictures_of_none on chat_pictures (waits_until) where message_id is null")
    execute("create index chat_pictures_of_person on chat_pictures (user_id) where user_id is not null")
    execute(
        """
        create table matrix_pictures (
          message_id text not null references chat_messages (id) on delete cascade,
          picture_key text not null,
          uri text not null,
          event_id text,
          constraint matrix_pictures_one_each primary key (message_id, picture_key)
        )
        """
    )
    execute("create unique index matrix_pictures_by_event on matrix_pictures (event_id) where event_id is not null")
