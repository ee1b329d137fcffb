"""Searches that people keep, the keys by which an event finds them, what they were told of, and events to be compared with them.

Whatever statement makes an event public, the engines note it: none can leave it out. An event that was public before is not new.
"""

from alembic import op

from groundwork.database.revision import apply, engine

revision = "0049"
down_revision = "0048"

SQL = """
create table saved_searches (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  asked text not null check (asked <> ''),
  is_on integer not null default 1 check (is_on in (0, 1)),
  created_at bigint not null,
  unique (user_id, asked)
);
create table saved_search_keys (
  search_id text not null references saved_searches (id) on delete cascade,
  key text not null,
  primary key (search_id, key)
);
create index saved_search_keys_by_key on saved_search_keys (key, search_id);
create table saved_search_finds (
  search_id text not null references saved_searches (id) on delete cascade,
  subject text not null,
  told_at bigint not null,
  primary key (search_id, subject)
);
create table new_events (
  event_id text primary key references events (id) on delete cascade,
  since bigint not null,
  look_at bigint not null,
  after_search text not null default ''
);
create index new_events_due on new_events (look_at, event_id);
"""

# Five minutes to mend what one sees only when the event is up.
_NOTE = """
    insert into new_events (event_id, since, look_at) values (new.id, new.updated_at, new.updated_at + 300000000)
        on conflict (event_id) do nothing
"""
_IS_SHOWN = "new.visibility = 'public' and new.is_held = 0"
_WAS_NOT = "(old.visibility <> 'public' or old.is_held = 1)"

FOR_SQLITE = (
    f"create trigger new_events_made after insert on events when {_IS_SHOWN} begin {_NOTE}; end",
    f"""
    create trigger new_events_shown after update of visibility, is_held on events when {_IS_SHOWN} and {_WAS_NOT}
    begin {_NOTE}; end
    """,
)
# The path is fixed: what fills the table without one (a whole site that is taken in) is noted, too.
FOR_POSTGRESQL = f"""
create function note_new_event() returns trigger language plpgsql set search_path from current as $$
begin
    {_NOTE};
    return null;
end
$$;
create trigger new_events_made after insert on events
    for each row when ({_IS_SHOWN}) execute function note_new_event();
create trigger new_events_shown after update of visibility, is_held on events
    for each row when ({_IS_SHOWN} and {_WAS_NOT}) execute function note_new_event();
"""


def upgrade() -> None:
    apply(SQL)
    if engine() == "sqlite":
        for trigger in FOR_SQLITE:  # their statements end inside them, where a script would be cut
            op.get_bind().exec_driver_sql(trigger)
    else:
        apply(FOR_POSTGRESQL)
