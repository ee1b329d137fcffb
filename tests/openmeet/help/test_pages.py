"""Help, the pages about the site, its status, and error pages."""

import re
from pathlib import Path

import pytest

from groundwork.clock import MINUTE
from groundwork.errors import FailureReason
from groundwork.queue.embedded import EmbeddedQueue
from groundwork.queue.rabbitmq import RabbitQueue
from openmeet.domain.events import actions as events
from openmeet.network.firehose import cursors
from openmeet.network.firehose.cursors import SourceState
from openmeet.network.status import SyncDependencies
from openmeet.web.help.pages import LATE, site_health
from openmeet.web.help.texts import QUESTIONS, TOPICS
from tests.openmeet.site_under_test import ORIGIN, change_services, event_by, person, site_on
from tests.simulation.processes import free_port


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet", clock=clock), clock, run_by="Verein Musterkiez", contact="a@kiez.test")


async def test_every_question_has_a_page_linked_from_help(site):
    """Each question belongs to one topic, and has a page, which links to the other questions of its topic."""
    listed_slugs = [slug for topic in TOPICS for slug in topic.slugs]
    assert sorted(listed_slugs) == sorted(question.slug for question in QUESTIONS)
    async with site.browser() as browser:
        listed = (await browser.get("/help")).text
        for question in QUESTIONS:
            assert f'href="/help/{question.slug}"' in listed
            answer = await browser.get(f"/help/{question.slug}")
            assert answer.status_code == 200
            assert f"<h1>{question.title}</h1>" in answer.text
            [topic] = [topic for topic in TOPICS if question.slug in topic.slugs]
            linked = set(re.findall('href="/help/([a-z-]+)"', answer.text.partition('class="setting-list"')[2]))
            assert linked == set(topic.slugs) - {question.slug}
        assert (await browser.get("/help/nothing")).status_code == 404


async def test_the_legal_pages_name_the_operator(site):
    async with site.browser() as browser:
        for path in ("/about", "/terms", "/privacy", "/accessibility"):
            answer = await browser.get(path)
            assert answer.status_code == 200
            assert "Verein Musterkiez" in answer.text
            assert 'href="mailto:a@kiez.test"' in answer.text


async def test_the_operators_text_replaces_the_default(make_sqlite, clock, tmp_path: Path):
    """The text is shown in the reader's language if it exists. It is Markdown without HTML."""
    (tmp_path / "terms.md").write_text("Be **nice**. <script>alert(1)</script>", "utf-8")
    (tmp_path / "terms.de.md").write_text("Seid **nett**.", "utf-8")
    site = site_on(await make_sqlite("openmeet", clock=clock), clock, texts_directory=tmp_path)
    async with site.browser() as browser:
        english = (await browser.get("/terms")).text
        german = (await browser.get("/terms", headers={"accept-language": "de"})).text
        general = (await browser.get("/privacy")).text
    assert "Be <strong>nice</strong>." in english
    assert "<script>alert" not in english
    assert "Seid <strong>nett</strong>." in german
    assert "Be a good guest" not in english
    assert "no trackers" in general


async def test_the_status_shows_late_records(site, clock):
    """A record counts as late when it has been due for longer than the retries take."""
    async with site.browser() as browser:
        assert "Everything is on time" in (await browser.get("/status")).text
        async with site.db.transaction() as tx:
            ana = await person(tx, "Ana")
            event = await event_by(tx, ana)
            await tx.execute(
                "update publications set state = 'due', due_at = :now where subject_id = :id", now=tx.now, id=event.id
            )
        clock.turn(LATE + MINUTE)
        async with site.db.reader() as reader:
            assert (await site_health(reader)).sync.late_since is not None
        assert "Some things are late" in (await browser.get("/status")).text


async def test_the_status_shows_late_sources(site, make_sqlite, clock):
    """A source counts as late when it has failed for longer than the retries take. A source without new events is on
    time.
    """
    installation = await make_sqlite("openmeet.network.firehose", clock=clock)
    async with installation.transaction() as tx:
        await cursors.add_source(tx, "wss://relay.test")
    queue = EmbeddedQueue(await make_sqlite("groundwork.queue", clock=clock), clock)
    change_services(site.app, sync_dependencies=SyncDependencies(installation, queue, "https://openmeet.test"))
    async with site.browser() as browser:
        clock.turn(2 * LATE)
        assert "Everything is on time" in (await browser.get("/status")).text
        async with installation.transaction() as tx:
            await cursors.set_state(tx, "wss://relay.test", SourceState.FAILING, FailureReason.STREAM_BROKEN())
        assert "Everything is on time" in (await browser.get("/status")).text
        clock.turn(LATE + MINUTE)
        assert "Some things are late" in (await browser.get("/status")).text


async def test_the_status_says_that_nothing_is_read_while_the_broker_is_away(site, make_sqlite, clock):
    """Nobody knows since when something waits there."""
    installation = await make_sqlite("openmeet.network.firehose", clock=clock)
    queue = RabbitQueue(f"amqp://guest:guest@127.0.0.1:{free_port()}", clock)
    change_services(site.app, sync_dependencies=SyncDependencies(installation, queue, "https://openmeet.test"))
    async with site.browser() as browser:
        shown = (await browser.get("/status")).text
    assert ("Some things are late" in shown, "Not read at the moment" in shown) == (True, True)
    assert "just now" not in shown


async def test_the_status_page_answers_during_an_outage(site):
    """Error pages lead to it, so it must not be an error page that leads to itself."""
    async with site.browser() as browser:
        await site.db.close()
        shown = await browser.get("/status")
    assert (shown.status_code, "The site is having problems" in shown.text) == (503, True)
    assert "See the status of this site" not in shown.text


async def test_a_bug_of_the_status_page_is_not_an_outage(site):
    """The answer to a bug is an error with a number that operators find in the log."""
    async with site.db.transaction() as tx:
        await tx.execute("alter table publications rename to something_else")
    async with site.browser() as browser:
        shown = await browser.get("/status")
    assert (shown.status_code, "The site is having problems" in shown.text) == (500, False)


async def test_a_missing_page_links_back(site):
    """The page links to the page of this site that the visitor came from, and never to another site."""
    async with site.browser() as browser:
        ours = await browser.get("/nowhere", headers={"referer": f"{ORIGIN}/help?x=1"})
        theirs = await browser.get("/nowhere", headers={"referer": "https://evil.test/help"})
    assert 'href="/help?x=1">Go back' in ours.text
    assert "Go back" not in theirs.text
    assert "evil.test" not in theirs.text


async def test_a_deleted_event_has_a_page_that_says_so(site):
    """The event was public, so the page may show that it existed."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        await events.delete(tx, ana, event.slug)
    async with site.browser() as browser:
        answer = await browser.get(f"/events/{event.slug}")
    assert answer.status_code == 410
    assert "This is no longer here" in answer.text
    assert "/covers/books-" in answer.text
