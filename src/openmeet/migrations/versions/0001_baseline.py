"""Create every table, from the SQL in the folder ``baseline``, and the search index.

The search index contains everything that events are selected by: words and topics (the column ``search_words``, written
by ``groundwork.database.words``), mode (``m=``), origin (``o=``), the place as cells of 262 km (``g=``) and 66 km
(``h=``), and the start. Its form differs by engine, so that each engine reads as little as possible for common and for
rare words.
"""

from pathlib import Path

from groundwork.database.revision import apply_folder, engine, execute

revision = "0001"
down_revision = None


def _cell(row: str, width: int) -> str:
    return " || '_' || ".join(f"cast(({row}place_{axis} + 6553600) / {width} as text)" for axis in "xyz")


def _cells(row: str) -> str:
    return f"coalesce(' g=' || {_cell(row, 262_144)} || ' h=' || {_cell(row, 65_536)}, '')"


# Each word is prefixed with its period of 16 days: ``1298=tea`` is ``tea`` in an event that starts in period 1298. A
# search therefore reads only events with its words in that period, instead of all events that ever had them. The
# two-day period (``s=``) is a separate entry.
_POSTGRESQL = f"""
create index events_by_words on events using gin (array_to_tsvector(string_to_array(ltrim(
  replace(rtrim(search_words) || ' m=' || mode || ' o=' || origin || {_cells("")},
    ' ', ' ' || cast(greatest(starts_at, 0) / 1382400000000 as text) || '=')
  || ' s=' || cast(greatest(starts_at, 0) / 172800000000 as text)), ' '))) with (fastupdate = off)
"""


def _entry(row: str) -> str:
    """The start as periods of 8 (``s=``), 64 (``r=``), 512 (``y=``) and 4,096 days (``z=``). A search reads short
    periods where there are many events, and long ones where there are few.
    """
    start = f"coalesce(max({row}.starts_at, 0), 0)"
    return (
        f"{row}.search_words || 'm=' || {row}.mode || ' o=' || {row}.origin"
        f" || ' s=' || cast({start} / 691200000000 as text) || ' r=' || cast({start} / 5529600000000 as text)"
        f" || ' y=' || cast({start} / 44236800000000 as text) || ' z=' || cast({start} / 353894400000000 as text)"
        f" || {_cells(f'{row}.')}"
    )


_ADD = f"insert into search_index (rowid, words) select number, {_entry('new')} from search_numbers where event_id = new.id"
_REMOVE = f"""insert into search_index (search_index, rowid, words)
        select 'delete', number, {_entry("old")} from search_numbers where event_id = old.id"""

# Maintained by triggers, so that every statement that writes an event also updates the index, in the same transaction.
# FTS5 needs row numbers that a ``vacuum`` does not change, hence the table of numbers.
_SQLITE = (
    "create table search_numbers (number integer primary key, event_id text not null unique)",
    """
    create virtual table search_index using fts5
      (words, content = '', detail = none, columnsize = 0, prefix = '2 3', tokenize = "ascii tokenchars '_='")
    """,
    f"""
    create trigger search_index_insert after insert on events begin
      insert into search_numbers (event_id) values (new.id);
      {_ADD};
    end
    """,
    f"""
    create trigger search_index_update after update of search_words, mode, origin, starts_at, place_x, place_y, place_z on events
      when {_entry("old")} <> {_entry("new")}
    begin
      {_REMOVE};
      {_ADD};
    end
    """,
    f"""
    create trigger search_index_delete after delete on events begin
      {_REMOVE};
      delete from search_numbers where event_id = old.id;
    end
    """,
)


def upgrade() -> None:
    apply_folder(Path(__file__).parents[1] / "baseline")
    for statement in (_POSTGRESQL,) if engine() == "postgresql" else _SQLITE:
        execute(statement)
