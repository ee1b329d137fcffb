"""Searches stay fast with a million events, however common or rare what they look for is.

Everything that events are chosen by stands in one index: words, topics (in ``search_words``, as ``groundwork.database.words`` writes
them), how people take part, where it was made, where it is, in cells of 262 and of 66 km, and when it starts, in grains of 8, 64,
512 and 4,096 days: a search reads fine ones where there is much, and coarse ones where there is little. What lasts longer than
a day has an index of its own, so that what is under way is found without reading a year of what is over.
"""

import sqlalchemy as sa
from alembic import op

from groundwork.database.revision import apply, engine
from groundwork.database.words import topic_word

revision = "0042"
down_revision = "0041"

SQL = """
drop index events_by_spot;
create index events_long on events (over_at, starts_at)
 where over_at - starts_at > 86400000000
   and visibility = 'public' and is_held = 0 and removed_at is null and deleted_at is null;
"""


def _entry(table: str, starts: str) -> str:
    def cell(width: int) -> str:
        return " || '_' || ".join(f"cast(({table}place_{axis} + 6553600) / {width} as text)" for axis in "xyz")

    return (
        f"{table}search_words || 'm=' || {table}mode || ' o=' || {table}origin"
        f" || ' s=' || cast({starts} / 691200000000 as text) || ' r=' || cast({starts} / 5529600000000 as text)"
        f" || ' y=' || cast({starts} / 44236800000000 as text) || ' z=' || cast({starts} / 353894400000000 as text)"
        f" || coalesce(' g=' || {cell(262_144)} || ' h=' || {cell(65_536)}, '')"
    )


POSTGRESQL = f"""
drop index events_by_words;
create index events_by_words on events
 using gin (array_to_tsvector(string_to_array(btrim({_entry("", "greatest(starts_at, 0)")}), ' ')));
"""


def _row(row: str) -> str:
    return _entry(f"{row}.", f"coalesce(max({row}.starts_at, 0), 0)")


# Each is one statement: those of a trigger's body end in semicolons, too.
SQLITE = (
    "drop trigger search_index_insert",
    "drop trigger search_index_update",
    "drop trigger search_index_delete",
    "insert into search_index (search_index) values ('delete-all')",
    f"insert into search_index (rowid, words) select n.number, {_row('e')} from search_numbers n join events e on e.id = n.event_id",
    f"""
    create trigger search_index_insert after insert on events begin
      insert into search_numbers (event_id) values (new.id);
      insert into search_index (rowid, words) select number, {_row("new")} from search_numbers where event_id = new.id;
    end
    """,
    f"""
    create trigger search_index_update after update of search_words, mode, origin, starts_at, place_x, place_y, place_z on events
      when {_row("old")} <> {_row("new")}
    begin
      insert into search_index (search_index, rowid, words)
        select 'delete', number, {_row("old")} from search_numbers where event_id = old.id;
      insert into search_index (rowid, words) select number, {_row("new")} from search_numbers where event_id = new.id;
    end
    """,
    f"""
    create trigger search_index_delete after delete on events begin
      insert into search_index (search_index, rowid, words)
        select 'delete', number, {_row("old")} from search_numbers where event_id = old.id;
      delete from search_numbers where event_id = old.id;
    end
    """,
)

_NEXT = sa.text(
    "select id, search_words, topics from events where id > :after and topics <> '' and search_words <> '' order by id limit 500"
)
_FILL = sa.text("update events set search_words = :words where id = :id")


def upgrade() -> None:
    connection = op.get_bind()
    after = ""
    while rows := connection.execute(_NEXT, {"after": after}).all():
        connection.execute(
            _FILL,
            [
                {
                    "id": row.id,
                    "words": row.search_words + "".join(f"{topic_word(one)} " for one in _topics(row.topics)),
                }
                for row in rows
            ],
        )
        after = rows[-1].id
    apply(SQL)
    if engine() == "postgresql":
        apply(POSTGRESQL)
    else:
        for statement in SQLITE:
            connection.exec_driver_sql(statement)
    apply("alter table events drop column topics;")


def _topics(text: str) -> list[str]:
    return [one for one in text.split("|") if one]
