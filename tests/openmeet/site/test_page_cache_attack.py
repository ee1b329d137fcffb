"""Change every table and every column of a site with data. A visitor never sees a page other than a fresh one."""

import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import httpx

from groundwork.clock import HandClock
from groundwork.database.recorded_reads import RecordedReads
from openmeet.web.site.page_cache import PageCache, _CachedPage
from programs.demo.fill import fill
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, site_on

# Tables of SQLite's own, of the full-text index and of the schema's version.
_NOT_OURS = ("sqlite_", "search_index", "search_chat_index", "schema_revision")
# The first that the constraints accept is used.
_CHANGES = ("{name} || 'x'", "{name} + 1", "{name} - 1", "1 - {name}", "''", "null", "1")


async def outcome(browser: httpx.AsyncClient, path: str) -> str:
    """The page, or the status if there is none with such data. The text of an error contains the request's id."""
    answer = await browser.get(path)
    return answer.text if answer.status_code == 200 else str(answer.status_code)


def pages_of(site: Site) -> "OrderedDict[Any, _CachedPage]":
    cache: PageCache = site.app.state.services.page_cache
    return cache._pages


def reads_of(site: Site) -> Mapping[str, RecordedReads]:
    """What each cached page was rendered from."""
    return {key[0]: page.reads for key, page in pages_of(site).items() if page.reads is not None}


def changes_of(
    connection: sqlite3.Connection, statements_of: Mapping[str, str]
) -> Iterator[tuple[str, tuple[str, ...], list[str]]]:
    """For each table with rows and each column of the tables that a page reads: a name, statements of which the first
    that is possible is used, and the pages to look at. ``statements_of``: the statements of each page.
    """
    tables = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table' order by name")]
    for table in tables:
        if table.startswith(_NOT_OURS) or connection.execute(f"select 1 from {table} limit 1").fetchone() is None:
            continue
        yield table, (f"delete from {table}",), list(statements_of)
        if pages := [path for path, statements in statements_of.items() if f" {table} " in statements]:
            for column in [row[1] for row in connection.execute(f"pragma table_info({table})")]:
                updates = (f"update {table} set {column} = {change.format(name=column)}" for change in _CHANGES)
                yield f"{table}.{column}", tuple(updates), pages


def is_changed(connection: sqlite3.Connection, statements: tuple[str, ...]) -> bool:
    """Run the first of these statements that the constraints accept."""
    for statement in statements:
        try:
            connection.execute(statement)
        except sqlite3.Error:
            connection.rollback()
            continue
        connection.commit()
        return True
    return False


async def test_a_visitor_sees_every_change_of_every_table(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    db = await make_sqlite("openmeet")
    await fill(db)
    site = site_on(db, clock, pages_per_minute=0)
    async with db.reader() as reader:
        (place,) = await reader.fetch("pragma database_list")
        event = await reader.fetch_one("select slug from events where series_id is not null order by id limit 1")
        group = await reader.fetch_one("select slug from groups order by id limit 1")
    assert event is not None
    assert group is not None
    paths = ["/", f"/events/{event['slug']}", f"/groups/{group['slug']}"]
    async with site.browser() as visitor, site.browser() as other:
        other.cookies.set("another", "cookie")
        for path in paths:
            assert (await visitor.get(path)).status_code == 200, path
        cached, recorded = dict(pages_of(site)), reads_of(site)
        assert sorted(recorded) == sorted(paths), "each page is rendered from recorded reads only"
        statements_of = {
            path: " ".join(" ".join(one.sql.split()) for one in reads.reads) for path, reads in recorded.items()
        }
        changed: dict[str, int] = {}
        with closing(sqlite3.connect(place["file"])) as connection, closing(sqlite3.connect(":memory:")) as saved:
            connection.backup(saved)
            for name, statements, pages in list(changes_of(connection, statements_of)):
                if not is_changed(connection, statements):
                    continue
                changed[name] = 0
                for path in pages:
                    seen = await outcome(visitor, path)
                    if reads_of(site)[path] is not recorded[path]:
                        changed[name] += 1
                    elif seen not in {"404", "410", "500"}:
                        # It was served from the cache.
                        assert seen == await outcome(other, path), (name, path)
                saved.backup(connection)
                pages_of(site).update(cached)
    effective = {name for name, number in changed.items() if number}
    assert {"events.title", "users.display_name", "attendances", "group_members"} <= effective
    assert changed.keys() >= {"outbox_jobs", "chat_messages"}
    assert not {"outbox_jobs", "chat_messages"} & effective
