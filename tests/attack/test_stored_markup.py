"""Markup in everything that people and other servers can write is never part of a page, a feed, a calendar or an e-mail.

The texts are changed in the database, because the rules for input would refuse or clean many of them.
"""

import json
import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

from groundwork.blobstore.open_ import open_folder
from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Transaction
from groundwork.mail.address import EmailAddress
from groundwork.mail.contract import Sender
from groundwork.mail.folder import FolderMailbox
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.dispatcher import run_once
from openmeet.emails.composers import composers
from openmeet.emails.render import EmailContext
from openmeet.outbox.emails import email_handler
from openmeet.outbox.kinds import JobKind
from programs.outbox_dispatcher import sender
from tests.databases import MakeDatabase
from tests.openmeet.identities.offline_clients import offline_publishing
from tests.openmeet.privacy.planted import HOST, NOBODY, Planted, Viewer
from tests.openmeet.privacy.secret_fixtures import plant
from tests.openmeet.privacy.site_crawler import UNLIMITED, addresses, places, signed_in_viewer
from tests.openmeet.site_under_test import CODE_KEY, ORIGIN, Site, site_on

# Ends an attribute, a comment, a script, a title, a text field and a line of a calendar, and opens an element.
MARKUP = "zq\"'><zq onzq=1>--></script></textarea></title>]]>\r\nX-ZQ:1\n{{ 7 * 7 }}%(x)s"
# The words that ``plant`` has written, except in addresses.
_PLANTED = re.compile(r"(?<=[a-z])zq(?![a-z])")
# Other columns contain keys, which pages do not show.
_KEYS = frozenset({"id", "slug", "email", "search_words", "search_text"})


async def test_markup_is_shown_as_text(make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path) -> None:
    async with offline_publishing(clock) as publishing:
        pictures = open_folder(tmp_path / "pictures")
        site = site_on(await make_sqlite("openmeet"), clock, pictures=pictures, publishing=publishing, **UNLIMITED)
        async with site.db.transaction() as tx:
            planted = await plant(tx, is_open=True)
            changed = await _write_markup(tx)
        assert {"events.title", "event_series.name", "groups.name", "users.display_name"} <= changed
        found = [one for viewer in (HOST, NOBODY) for one in await _problems_of_pages(site, planted, viewer)]
        found += await _problems_of_mails(site, tmp_path / "mail")
    assert found == []


async def _write_markup(tx: Transaction) -> set[str]:
    """Add markup to every planted text. Returns the changed columns."""
    changed = set()
    tables = await tx.fetch("select name from sqlite_master where type = 'table' and name not like '%search%'")
    for table in (row["name"] for row in tables if not row["name"].startswith("sqlite_")):
        columns = [row["name"] for row in await tx.fetch(f"select name from pragma_table_info('{table}')")]
        for column in set(columns) - _KEYS:
            rows = await tx.fetch(
                f"select distinct {column} as value from {table} where typeof({column}) = 'text' and {column} like '%zq%'"
            )
            for value in (row["value"] for row in rows):
                if (marked := _marked(value)) != value:
                    await tx.execute(f"update {table} set {column} = :new where {column} = :old", new=marked, old=value)
                    changed.add(f"{table}.{column}")
    return changed


def _marked(value: str) -> str:
    if value[:1] in {"{", "["}:
        return json.dumps(_marked_parts(json.loads(value)))
    return value if "@" in value or "://" in value else _PLANTED.sub(lambda _: MARKUP, value)


def _marked_parts(value: object) -> object:
    match value:
        case str():
            return _marked(value)
        case list():
            return [_marked_parts(one) for one in value]
        case dict():
            return {name: _marked_parts(one) for name, one in value.items()}
    return value


async def _problems_of_pages(site: Site, planted: Planted, viewer: Viewer) -> list[str]:
    problems, kinds = [], set()
    async with signed_in_viewer(site, planted, viewer) as client:
        for place in places(site):
            if place.method != "GET" or place.is_api:
                continue
            for address, _ in addresses(place, planted, viewer):
                answer = await client.get(address)
                kind = answer.headers.get("content-type", "").partition(";")[0]
                kinds.add(kind)
                if answer.status_code != 503 and answer.status_code >= 500:
                    problems.append(f"{address}: {answer.status_code}")
                problems += [f"{viewer}, {address}: {one}" for one in _problems(kind, answer.text)]
    assert kinds >= {"text/html", "application/atom+xml", "text/calendar"}
    return problems


async def _problems_of_mails(site: Site, folder: Path) -> list[str]:
    mailbox = FolderMailbox(folder, Sender("Town", EmailAddress("events@town.net")), site.clock)
    site.clock.turn(DAY)
    handler = email_handler(site.db, composers(EmailContext(CODE_KEY, "OpenMeet", ORIGIN)), sender(mailbox, ORIGIN))
    while await run_once(site.db, {JobKind.MAIL: one_job_per_call(handler)}):
        pass
    mails = _mails(folder)
    assert mails
    return [one for mail in mails for one in _problems_of_mail(mail)]


def _mails(folder: Path) -> list[EmailMessage]:
    return [message_from_bytes(file.read_bytes(), EmailMessage, policy=default) for file in folder.glob("*.eml")]


def _problems_of_mail(mail: EmailMessage) -> Iterator[str]:
    yield from (f"mail header {name}" for name in mail if "zq" in name.lower())
    for part in mail.walk():
        if not part.is_multipart():
            for one in _problems(part.get_content_type(), str(part.get_content())):
                yield f"mail {mail['Subject']}: {one}"


def _problems(kind: str, text: str) -> Iterator[str]:
    match kind:
        case "text/html":
            page = _Page()
            page.feed(text)
            page.close()
            yield from page.problems
        case "application/atom+xml" | "application/xml":
            yield from (f"element {one.tag}" for one in ET.fromstring(text).iter() if one.tag.endswith("zq"))
        case "text/calendar":
            yield from (f"line {line}" for line in text.splitlines() if line.startswith("X-ZQ"))


class _Page(HTMLParser):
    """Collects elements and attributes that come from ``MARKUP``."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "zq":
            self.problems.append(f"element {self.getpos()}")
        self.problems += [
            f"attribute {name} of {tag}" for name, _ in attrs if "zq" in name or not set("\"'<").isdisjoint(name)
        ]

    def handle_comment(self, data: str) -> None:
        if "zq" in data:
            self.problems.append(f"comment {data[:80]}")


def test_markup_of_a_careless_page_is_found() -> None:
    for page in (f"<p>{MARKUP}</p>", f'<p title="{MARKUP}">', f"<p title='{MARKUP}'>", f"<!-- {MARKUP} -->"):
        assert list(_problems("text/html", page)), page
