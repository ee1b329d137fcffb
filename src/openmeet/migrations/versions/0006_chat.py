"""Chat: rooms, messages, each person's state in a room, moderation, and the state of the Matrix bridge.

The search index has a message's words, its room (``r=``) and its author (``p=``), in the form of
``groundwork.database.words``.
"""

from groundwork.database.revision import engine, execute

revision = "0006"
down_revision = "0005"


_TABLES = (
    """
    create table chat_rooms (
      id text primary key,
      kind text not null check (kind in ('event', 'series', 'date', 'channel', 'hosts', 'direct')),
      event_id text references events (id),
      series_id text references event_series (id),
      group_id text references groups (id),
      with_user_id text references users (id),
      name text not null default '',
      about text not null default '',
      position integer not null default 0,
      audience text not null default '{}',
      history text not null default 'all' check (history in ('all', 'since_joining')),
      slow_seconds integer not null default 0 check (slow_seconds between 0 and 3600),
      holds_messages integer not null default 0 check (holds_messages in (0, 1)),
      retention text not null default 'forever' check (retention in ('forever', 'year', '90_days', '30_days_after_date')),
      last_number bigint not null default 0,
      last_said_at bigint,
      matrix_room_id text unique,
      matrix_state text not null default 'off',
      matrix_guests integer not null default 0 check (matrix_guests in (0, 1)),
      matrix_error text not null default '',
      revision integer not null default 1 check (revision >= 1),
      opened_at bigint not null,
      closed_at bigint,
      closed_by text check (closed_by is null or closed_by in ('host', 'clock')),
      created_at bigint not null,
      updated_at bigint not null,
      constraint chat_rooms_has_one_subject check (
        case when event_id is null then 0 else 1 end + case when series_id is null then 0 else 1 end
        + case when group_id is null then 0 else 1 end = 1),
      constraint chat_rooms_subject_by_kind check (
        kind in ('hosts', 'direct') or kind in ('event', 'date') and event_id is not null
        or kind = 'series' and series_id is not null or kind = 'channel' and group_id is not null),
      constraint chat_rooms_direct_has_person check ((kind = 'direct') = (with_user_id is not null))
    )
    """,
    "create unique index chat_rooms_of_event on chat_rooms (event_id, kind) where event_id is not null and kind <> 'direct'",
    "create unique index chat_rooms_of_series on chat_rooms (series_id, kind) where series_id is not null and kind <> 'direct'",
    "create unique index chat_rooms_of_group on chat_rooms (group_id, kind, name) where group_id is not null and kind <> 'direct'",
    (
        "create unique index chat_rooms_direct_of_event on chat_rooms (event_id, with_user_id) where event_id is not null"
        " and kind = 'direct'"
    ),
    (
        "create unique index chat_rooms_direct_of_series on chat_rooms (series_id, with_user_id) where series_id is not null"
        " and kind = 'direct'"
    ),
    (
        "create unique index chat_rooms_direct_of_group on chat_rooms (group_id, with_user_id) where group_id is not null"
        " and kind = 'direct'"
    ),
    "create index chat_rooms_with_person on chat_rooms (with_user_id) where with_user_id is not null",
    "create index chat_rooms_open on chat_rooms (opened_at, id) where closed_at is null",
    """
    create table chat_messages (
      id text primary key,
      room_id text not null references chat_rooms (id) on delete cascade,
      number bigint not null check (number >= 1),
      user_id text references users (id),
      matrix_sender text,
      client_id text,
      kind text not null check (kind in ('text', 'signal', 'notice', 'poll')),
      body text not null,
      details text not null default '{}',
      about text,
      reply_to text,
      external_id text,
      revision integer not null default 1 check (revision >= 1),
      said_at bigint not null,
      edited_at bigint,
      removed_at bigint,
      removed_by text references users (id),
      held_at bigint,
      search_words text not null default '',
      constraint chat_messages_has_one_author check (
        kind = 'notice' or case when user_id is null then 0 else 1 end + case when matrix_sender is null then 0 else 1 end = 1),
      constraint chat_messages_room_id_number_key unique (room_id, number)
    )
    """,
    "create unique index chat_messages_once on chat_messages (room_id, user_id, client_id) where client_id is not null",
    "create unique index chat_messages_from_matrix on chat_messages (room_id, external_id) where external_id is not null",
    "create index chat_messages_of_person on chat_messages (user_id, room_id, number)",
    "create index chat_messages_about on chat_messages (room_id, about, number) where about is not null",
    "create index chat_messages_held on chat_messages (room_id, number) where held_at is not null",
    "create index chat_messages_signals on chat_messages (said_at) where kind = 'signal'",
    "create index chat_messages_removed_by on chat_messages (removed_by) where removed_by is not null",
    """
    create table chat_log (
      room_id text not null references chat_rooms (id) on delete cascade,
      number bigint not null,
      kind text not null check (kind in ('said', 'edited', 'removed', 'restored', 'reacted', 'pinned', 'room')),
      message_id text references chat_messages (id) on delete cascade,
      at bigint not null,
      primary key (room_id, number)
    )
    """,
    "create index chat_log_of_message on chat_log (message_id) where message_id is not null",
    """
    create table chat_readers (
      room_id text not null references chat_rooms (id) on delete cascade,
      user_id text not null references users (id),
      read_number bigint not null default 0,
      level text not null default 'usual' check (level in ('usual', 'all', 'mentions', 'none')),
      muted_until bigint,
      entered_at bigint not null,
      entered_number bigint not null default 0,
      entered_by text not null check (entered_by in ('attendance', 'group', 'hosting', 'following', 'direct', 'opened')),
      seen_at bigint,
      mailed_at bigint,
      mailed_number bigint not null default 0,
      primary key (room_id, user_id)
    )
    """,
    "create index chat_readers_of_person on chat_readers (user_id, room_id)",
    """
    create table chat_mentions (
      message_id text not null references chat_messages (id) on delete cascade,
      user_id text not null references users (id),
      primary key (message_id, user_id)
    )
    """,
    "create index chat_mentions_of_person on chat_mentions (user_id, message_id)",
    """
    create table chat_reactions (
      message_id text not null references chat_messages (id) on delete cascade,
      user_id text references users (id),
      matrix_sender text,
      emoji text not null,
      external_id text,
      at bigint not null,
      constraint chat_reactions_has_one_author check (
        case when user_id is null then 0 else 1 end + case when matrix_sender is null then 0 else 1 end = 1)
    )
    """,
    "create unique index chat_reactions_of_person on chat_reactions (message_id, user_id, emoji) where user_id is not null",
    (
        "create unique index chat_reactions_of_sender on chat_reactions (message_id, matrix_sender, emoji)"
        " where matrix_sender is not null"
    ),
    "create index chat_reactions_by_person on chat_reactions (user_id) where user_id is not null",
    """
    create table chat_pins (
      message_id text primary key references chat_messages (id) on delete cascade,
      room_id text not null references chat_rooms (id) on delete cascade,
      pinned_by text not null references users (id),
      at bigint not null
    )
    """,
    "create index chat_pins_of_room on chat_pins (room_id, at)",
    "create index chat_pins_by_person on chat_pins (pinned_by)",
    """
    create table chat_votes (
      message_id text not null references chat_messages (id) on delete cascade,
      user_id text not null references users (id),
      choice integer not null check (choice >= 0),
      primary key (message_id, user_id, choice)
    )
    """,
    "create index chat_votes_of_person on chat_votes (user_id)",
    """
    create table chat_sanctions (
      room_id text not null references chat_rooms (id) on delete cascade,
      user_id text not null references users (id),
      kind text not null check (kind in ('mute', 'ban')),
      until bigint,
      reason text not null,
      by_user_id text not null references users (id),
      at bigint not null,
      lifted_at bigint,
      primary key (room_id, user_id, kind)
    )
    """,
    "create index chat_sanctions_of_person on chat_sanctions (user_id)",
    "create index chat_sanctions_by_person on chat_sanctions (by_user_id)",
    """
    create table chat_edits (
      message_id text not null references chat_messages (id) on delete cascade,
      revision integer not null,
      body text not null,
      until bigint not null,
      primary key (message_id, revision)
    )
    """,
    "create index chat_edits_by_end on chat_edits (until)",
    """
    create table chat_removed (
      message_id text primary key references chat_messages (id) on delete cascade,
      body_sealed bytea not null,
      until bigint not null
    )
    """,
    "create index chat_removed_by_end on chat_removed (until)",
    """
    create table chat_acts (
      id text primary key,
      room_id text not null references chat_rooms (id) on delete cascade,
      act text not null,
      message_id text,
      user_id text references users (id),
      by_user_id text references users (id),
      reason text not null,
      until bigint,
      at bigint not null
    )
    """,
    "create index chat_acts_of_room on chat_acts (room_id, at, id)",
    "create index chat_acts_of_person on chat_acts (user_id) where user_id is not null",
    "create index chat_acts_by_person on chat_acts (by_user_id) where by_user_id is not null",
    """
    create table chat_reports (
      id text primary key,
      message_id text not null references chat_messages (id) on delete cascade,
      reporter_id text not null references users (id),
      reason text not null,
      words text not null,
      to_tenant integer not null check (to_tenant in (0, 1)),
      at bigint not null,
      closed_at bigint,
      outcome text check (outcome is null or outcome in ('acted', 'dismissed')),
      constraint chat_reports_closed_has_outcome check ((closed_at is null) = (outcome is null))
    )
    """,
    "create unique index chat_reports_once on chat_reports (message_id, reporter_id) where reporter_id is not null",
    "create index chat_reports_by_person on chat_reports (reporter_id)",
    "create index chat_reports_open on chat_reports (to_tenant, at, id) where closed_at is null",
    """
    create table matrix_people (
      user_id text primary key references users (id),
      localpart text not null unique,
      ghost_made_at bigint,
      mxid text unique,
      linked_at bigint,
      link_code_hash bytea,
      link_expires_at bigint,
      invites text not null default 'all' check (invites in ('all', 'chosen', 'none')),
      consent text not null default 'none' check (consent in ('name_and_words', 'none')),
      answered_at bigint
    )
    """,
    """
    create table matrix_sends (
      room_id text not null references chat_rooms (id) on delete cascade,
      number bigint not null,
      event_id text,
      sent_revision integer not null default 0,
      primary key (room_id, number)
    )
    """,
    "create unique index matrix_sends_by_event on matrix_sends (event_id) where event_id is not null",
    """
    create table matrix_cursor (
      id integer primary key check (id = 1),
      since text not null,
      epoch integer not null default 0,
      holder text not null default '',
      held_until bigint not null default 0
    )
    """,
)

_ANY_ROOM = "exists (select 1 from chat_rooms)"
# For each table, the columns with the user, event, series and group whose rooms may be affected by a change.
_NOTED = (
    ("attendances", ("user_id", "event_id", None, None), "status, pending_for, user_id"),
    ("group_members", ("user_id", None, None, "group_id"), "role, user_id"),
    ("event_co_hosts", ("user_id", "event_id", None, None), "state, is_for_series, user_id"),
    ("event_series_followers", ("user_id", None, "series_id", None), "user_id"),
    ("user_blocks", ("blocked_id", None, None, None), "blocked_id"),
)


def _note(row: str, columns: tuple[str | None, ...]) -> str:
    values = ", ".join("null" if name is None else f"{row}.{name}" for name in columns)
    return (
        "insert into chat_access_changes (user_id, event_id, series_id, group_id)"
        f" select {values} where {row}.{columns[0]} is not null and {_ANY_ROOM}"
    )


def _triggers_of_sqlite() -> list[str]:
    return [
        f"create trigger chat_access_{table}_{verb} after {when} on {table} begin {_note(row, columns)}; end"
        for table, columns, changing in _NOTED
        for verb, when, row in (
            ("added", "insert", "new"),
            ("changed", f"update of {changing}", "new"),
            ("removed", "delete", "old"),
        )
    ]


def _triggers_of_postgresql() -> list[str]:
    made = []
    for table, columns, changing in _NOTED:
        for verb, when, row in (
            ("added", "insert", "new"),
            ("changed", f"update of {changing}", "new"),
            ("removed", "delete", "old"),
        ):
            name = f"chat_access_{table}_{verb}"
            made += [
                (
                    f"create function {name}() returns trigger language plpgsql set search_path from current as $$"
                    f" begin {_note(row, columns)}; return null; end $$"
                ),
                f"create trigger {name} after {when} on {table} for each row execute function {name}()",
            ]
    return made


_CHANGES = """
    create table chat_access_changes (
      id {numbered},
      user_id text,
      event_id text,
      series_id text,
      group_id text
    )
"""

_SEARCH_ON_POSTGRESQL = """
    create index chat_messages_by_words on chat_messages
      using gin (array_to_tsvector(string_to_array(ltrim(rtrim(search_words)), ' '))) with (fastupdate = off)
      where search_words <> ''
"""
# FTS5 needs row numbers that a ``vacuum`` does not change, hence the table of numbers.
_ADD = """insert into search_chat_index (rowid, words)
        select number, new.search_words from search_chat_numbers where message_id = new.id and new.search_words <> ''"""
_REMOVE = """insert into search_chat_index (search_chat_index, rowid, words)
        select 'delete', number, old.search_words from search_chat_numbers
         where message_id = old.id and old.search_words <> ''"""
_SEARCH_ON_SQLITE = (
    "create table search_chat_numbers (number integer primary key, message_id text not null unique)",
    """
    create virtual table search_chat_index using fts5
      (words, content = '', detail = none, columnsize = 0, prefix = '2 3', tokenize = "ascii tokenchars '_='")
    """,
    f"""
    create trigger chat_search_insert after insert on chat_messages begin
      insert into search_chat_numbers (message_id) values (new.id);
      {_ADD};
    end
    """,
    f"""
    create trigger chat_search_update after update of search_words on chat_messages when old.search_words <> new.search_words
    begin
      {_REMOVE};
      {_ADD};
    end
    """,
    f"""
    create trigger chat_search_delete after delete on chat_messages begin
      {_REMOVE};
      delete from search_chat_numbers where message_id = old.id;
    end
    """,
)


def upgrade() -> None:
    is_postgresql = engine() == "postgresql"
    for statement in _TABLES:
        execute(statement)
    numbered = "bigint generated by default as identity primary key" if is_postgresql else "integer primary key"
    execute(_CHANGES.format(numbered=numbered))
    for statement in _triggers_of_postgresql() if is_postgresql else _triggers_of_sqlite():
        execute(statement)
    for statement in (_SEARCH_ON_POSTGRESQL,) if is_postgresql else _SEARCH_ON_SQLITE:
        execute(statement)
