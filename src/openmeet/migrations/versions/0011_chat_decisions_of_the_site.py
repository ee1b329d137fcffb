"""Mark chat messages and people that the community's moderators decided about, so that hosts cannot undo the decision.

A sanction by the community's moderators applies in addition to one by the hosts.
"""

from groundwork.database.revision import execute

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    execute(
        "alter table chat_messages add column removed_by_site integer not null default 0"
        " check (removed_by_site in (0, 1) and (removed_by_site = 0 or removed_at is not null))"
    )
    execute(
        """
        update chat_messages set removed_by_site = 1
         where removed_at is not null and removed_by <> user_id and exists (
               select 1 from chat_reports t where t.message_id = chat_messages.id and t.to_tenant = 1 and t.outcome = 'acted')
        """
    )
    # SQLite cannot change a primary key.
    execute("alter table chat_sanctions rename to chat_sanctions_before")
    execute(
        """
        create table chat_sanctions (
          room_id text not null references chat_rooms (id) on delete cascade,
          user_id text not null references users (id),
          kind text not null check (kind in ('mute', 'ban')),
          of_site integer not null default 0 check (of_site in (0, 1)),
          until bigint,
          reason text not null,
          by_user_id text not null references users (id),
          at bigint not null,
          lifted_at bigint,
          constraint chat_sanctions_one_each primary key (room_id, user_id, kind, of_site)
        )
        """
    )
    execute(
        """
        insert into chat_sanctions (room_id, user_id, kind, of_site, until, reason, by_user_id, at, lifted_at)
        select room_id, user_id, kind, 0, until, reason, by_user_id, at, lifted_at from chat_sanctions_before
        """
    )
    execute("drop table chat_sanctions_before")
    execute("create index chat_sanctions_of_person on chat_sanctions (user_id)")
    execute("create index chat_sanctions_by_person on chat_sanctions (by_user_id)")
