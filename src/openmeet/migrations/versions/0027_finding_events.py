"""Events are found by words and near a point.

The words stand in a column, in one form for both engines (``groundwork.database.words``); FTS5 and a GIN index look into it. On
SQLite triggers keep the index, so that whatever writes an event, in whichever way, keeps it in the same transaction. FTS5
counts in numbers that a ``vacuum`` must not change, hence the table of numbers.
"""

import sqlalchemy as sa
from alembic import op

from groundwork.database.revision import apply, engine
from groundwork.database.words import words_of
from groundwork.geo_points import spot_in

revision = "0027"
down_revision = "0026"

SQL = """
alter table events add column search_words text not null default '';
alter table events add column place_x bigint;
alter table events add column place_y bigint;
alter table events add column place_z bigint;
create index events_by_spot on events (place_z, place_x) where place_z is not null;
"""

POSTGRESQL = """
create index events_by_words on events using gin (array_to_tsvector(string_to_array(btrim(search_words), ' ')));
"""

# Each is one statement: those of a trigger's body end in semicolons, too.
SQLITE = (
    "create table search_numbers (number integer primary key, event_id text not null unique)",
    """
    create virtual table search_index using fts5
      (words, content = '', detail = none, columnsize = 0, prefix = '2 3', tokenize = "ascii tokenchars '_='")
    """,
    """
    create trigger search_index_insert after insert on events begin
      insert into search_numbers (event_id) values (new.id);
      insert into search_index (rowid, words) select number, new.search_words from search_numbers where event_id = new.id;
    end
    """,
    """
    create trigger search_index_update after update of search_words on events
      when old.search_words <> new.search_words
    begin
      insert into search_index (search_index, rowid, words)
        select 'delete', number, old.search_words from search_numbers where event_id = old.id;
      insert into search_index (rowid, words) select number, new.search_words from search_numbers where event_id = new.id;
    end
    """,
    """
    create trigger search_index_delete after delete on events begin
      insert into search_index (search_index, rowid, words)
        select 'delete', number, old.search_words from search_numbers where event_id = old.id;
      delete from search_numbers where event_id = old.id;
    end
    """,
    "insert into search_numbers (event_id) select id from events",
    "insert into search_index (rowid, words) select n.number, '' from search_numbers n",
)

_NEXT = sa.text(
    "select id, search_text, latitude, longitude, mode, place_audience from events where id > :after order by id limit 500"
)
_FILL = sa.text("update events set search_words = :words, place_x = :x, place_y = :y, place_z = :z where id = :id")


def upgrade() -> None:
    apply(SQL)
    connection = op.get_bind()
    if engine() == "sqlite":
        for statement in SQLITE:
            connection.exec_driver_sql(statement)
    after = ""
    while rows := connection.execute(_NEXT, {"after": after}).all():
        connection.execute(_FILL, [_found_by(row) for row in rows])
        after = rows[-1].id
    if engine() == "postgresql":
        apply(POSTGRESQL)


def _found_by(row: sa.Row[tuple[str, ...]]) -> dict[str, str | int | None]:
    # The text begins with the title, in a line of its own.
    is_told = row.mode != "online" and row.place_audience == "everyone"
    x, y, z = (spot_in(row.latitude, row.longitude) if is_told else None) or (None, None, None)
    return {
        "id": row.id,
        "words": words_of(row.search_text.partition("\n")[0], row.search_text),
        "x": x,
        "y": y,
        "z": z,
    }
