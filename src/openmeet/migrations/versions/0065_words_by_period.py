"""Searches for what nearly never stands together stay fast: on PostgreSQL each word in the index of words has its period before it.

A period is a number of 16 days; ``1298=tea`` is ``tea`` in an event that starts in period 1298. So a search reads of the index what has its
words there and then, not all that ever had them. The same goes for topics, how people take part, where it was made, and the
cells of its place. The grain, of two days, stands by itself. SQLite keeps the index of 0042.
"""

from groundwork.database.revision import apply, engine

revision = "0065"
down_revision = "0064"


def _cell(width: int) -> str:
    return " || '_' || ".join(f"cast((place_{axis} + 6553600) / {width} as text)" for axis in "xyz")


POSTGRESQL = f"""
drop index events_by_words;
create index events_by_words on events using gin (array_to_tsvector(string_to_array(ltrim(
  replace(rtrim(search_words) || ' m=' || mode || ' o=' || origin || coalesce(' g=' || {_cell(262_144)} || ' h=' || {_cell(65_536)}, ''),
    ' ', ' ' || cast(greatest(starts_at, 0) / 1382400000000 as text) || '=')
  || ' s=' || cast(greatest(starts_at, 0) / 172800000000 as text)), ' '))) with (fastupdate = off);
"""


def upgrade() -> None:
    if engine() == "postgresql":
        apply(POSTGRESQL)
