"""Link scanners open every link of an e-mail before its reader does. No link in any e-mail may change anything by GET
or HEAD.
"""

import re
from collections.abc import Awaitable, Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from groundwork.clock import HOUR
from groundwork.database.transaction import Database
from groundwork.mail.address import EmailAddress
from groundwork.mail.contract import Sender
from groundwork.mail.folder import FolderMailbox
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.dispatcher import run_once
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.emails.composers import composers
from openmeet.emails.render import EmailContext
from openmeet.outbox.emails import Composer, DueEmail, OutgoingEmail, email_handler
from openmeet.outbox.kinds import JobKind
from programs.outbox_dispatcher import sender
from tests.openmeet.database_snapshot import all_rows
from tests.openmeet.privacy.email_occasions import OCCASIONS
from tests.openmeet.privacy.planted import HOST
from tests.openmeet.privacy.secret_fixtures import plant
from tests.openmeet.site_under_test import CODE_KEY, ORIGIN, Site, details, site_on

FROM = Sender("Town Events", EmailAddress("events@town.net"), EmailAddress("host@town.net"))


class Post:
    """Sends queued e-mails as the publisher does. Keeps the kinds of e-mails sent and the links of the newest ones."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site, self.folder = site, folder
        settings = site.app.state.services.settings
        self.composers = composers(EmailContext(CODE_KEY, settings.site_name, settings.public_url))
        self.written: set[str] = set()
        self.read: set[Path] = set()

    async def deliver(self) -> None:
        mailbox = FolderMailbox(self.folder, FROM, self.site.clock)
        noting = {kind: self._noting(compose) for kind, compose in self.composers.items()}
        handler = email_handler(self.site.db, noting, sender(mailbox, ORIGIN))
        while await run_once(self.site.db, {JobKind.MAIL: one_job_per_call(handler)}):
            pass

    def _noting(self, compose: Composer) -> Composer:
        async def noting(db: Database, due: DueEmail) -> OutgoingEmail | None:
            letter = await compose(db, due)
            if letter is not None:
                self.written.add(due.kind)
            return letter

        return noting

    def new_links(self) -> set[str]:
        """Paths with queries from e-mails since the last call, from every part and from List-Unsubscribe."""
        links = set()
        for file in set(self.folder.glob("*.eml")) - self.read:
            self.read.add(file)
            mail = message_from_bytes(file.read_bytes(), EmailMessage, policy=default)
            parts = [str(part.get_content()) for part in mail.walk() if part.get_content_maintype() == "text"]
            for text in (*parts, str(mail.get("List-Unsubscribe", ""))):
                links |= set(re.findall(rf"{ORIGIN}(/[^\s\"<>)&;]*)", text.replace("\r\n ", "")))
        return links

    async def scan(self) -> set[str]:
        """Open every new link and check that every row of the database is unchanged."""
        links = self.new_links()
        before = await all_rows(self.site.db, "sqlite")
        async with self.site.browser() as scanner:
            for link in sorted(links):
                for method in ("GET", "HEAD"):
                    answer = await scanner.request(method, link, headers={"origin": ""})
                    assert answer.status_code < 500, (method, link)
        assert await all_rows(self.site.db, "sqlite") == before
        return links


@pytest.fixture
async def post(make_sqlite, clock, tmp_path) -> Post:
    return Post(site_on(await make_sqlite("openmeet"), clock), tmp_path / "mail")


async def test_every_kind_of_mail_is_covered(post: Post) -> None:
    assert set(OCCASIONS) == set(post.composers)


@pytest.mark.parametrize("kind", sorted(OCCASIONS))
async def test_opening_the_links_of_any_e_mail_changes_nothing(post: Post, kind: str) -> None:
    occasion: Callable[[Site, Callable[[], Awaitable[None]]], Awaitable[None]] = OCCASIONS[kind]
    await occasion(post.site, post.deliver)
    await post.deliver()
    assert kind in post.written
    links = await post.scan()
    # The code is typed on the page that requested it, so this e-mail has no link to open.
    assert bool(links) is (kind != "sign_in_code")


async def test_no_link_in_mails_with_many_notifications_changes_anything(post: Post) -> None:
    async with post.site.db.transaction() as tx:
        planted = await plant(tx)
        ana = planted.callers[HOST]
        public = await by_slug(tx, EventSlug(planted.addresses["events"][0]["slug"]))
        assert public is not None
        await event_hosting.revise(tx, ana, public.slug, details(title="Open tea", venue_name="The other park"))
    post.site.clock.turn(HOUR)
    await post.deliver()
    links = await post.scan()
    assert {link.split("/")[1] for link in links} >= {"events", "mail", "groups", "co-hosting"}
