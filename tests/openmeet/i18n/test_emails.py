"""E-mails are translated: no template has words outside the catalogue, and in the pseudo-locale no e-mail shows any."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import jinja2
import pytest
from markupsafe import escape

from groundwork.clock import HOUR, HandClock, Instant
from groundwork.i18n import pseudo
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.dispatcher import run_once
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.events.content import FIELDS
from openmeet.domain.groups.model import (
    LAST_CALL_MAIL,
    SUCCESSION_MAIL,
    Announcement,
    AnnouncementId,
    GroupId,
    GroupRole,
)
from openmeet.domain.notifications.event_kinds import (
    Approval,
    DatesChanged,
    HandOver,
    HostMessageReceived,
    InvitationReceived,
    NewAnswer,
    Rejection,
    SearchMatch,
)
from openmeet.domain.notifications.group_kinds import RoleDecided, Succession
from openmeet.domain.notifications.kinds import KINDS
from openmeet.domain.notifications.model import (
    ModerationPayload,
    NotificationKind,
    Payload,
    RecurrenceSummary,
    ShownTime,
)
from openmeet.emails.composers import composers
from openmeet.emails.notifications import texts
from openmeet.emails.notifications.current_state import CurrentChatState, CurrentState
from openmeet.emails.render import TEMPLATES, EmailContext
from openmeet.i18n.catalogue import SOURCE, speaking
from openmeet.outbox.emails import OutgoingEmail, email_handler
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.privacy.email_occasions import OCCASIONS
from tests.openmeet.site_under_test import CODE_KEY, ORIGIN, event_by, person, site_on
from tests.untranslated_text import unmarked_texts, untranslated_texts

# What people wrote in the test data: names, titles, places and messages.
_CONTENT: Final = re.compile(
    r"\b(?:Zq\w+zq|Absent|Answered|Europe|Berlin|Board games|Come "
    r"along|Coming|Cohost|Conductor|Deserted|Eager|Fickle|Forlorn|Gone|Heir"
    r"|Hooked|Host of \w+|Hosting|Inviters|Inviting|Moving|Nearly "
    r"lost|Next|Patient|Planning|Practice|Somebody|Sure|Telling|The other park"
    r"|Told|Town library|Trainer|Wavering|Germany|localhost|[A-Z0-9]{4} [A-Z0-9]{4})\b"
)

# Names of styles in the head of every HTML e-mail.
_HEAD: Final = re.compile(r"<head>.*?</head>", re.DOTALL)


def _as_page(text: str) -> str:
    """Convert plain text to HTML, whose parts are checked one by one."""
    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n"))


def _shown(email: OutgoingEmail) -> str:
    return f"<h1>{escape(email.subject)}</h1>{_as_page(email.text)}{_HEAD.sub('', email.html).replace('<br>', '<p>')}"


def _templates() -> Iterator[tuple[str, jinja2.nodes.Template]]:
    for environment in (TEMPLATES, texts.ENVIRONMENT):
        assert environment.loader is not None
        for name in environment.list_templates(filter_func=lambda name: name != "icons.jinja"):
            yield name, environment.parse(environment.loader.get_source(environment, name)[0], name)


def test_no_template_has_bare_words() -> None:
    found = {name: words for name, template in _templates() if (words := unmarked_texts(template))}
    assert found == {}


async def test_every_kind_of_e_mail_is_fully_translated(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """Every kind of e-mail is composed in the pseudo-locale, for a person without a language."""
    site = site_on(await make_sqlite("openmeet"), clock, language=pseudo.TAG)
    made = composers(EmailContext(CODE_KEY, "OpenMeet", ORIGIN, pseudo.TAG))
    sent: dict[str, set[str]] = {}

    def noting(kind: str) -> Any:
        async def compose(db: Any, due: Any) -> OutgoingEmail | None:
            email = await made[kind](db, due)
            if email is not None:
                sent.setdefault(kind, set()).update(untranslated_texts(_shown(email), _CONTENT))
                assert email.html.startswith(f'<!doctype html>\n<html lang="{pseudo.TAG}">')
            return email

        return compose

    async def send(_: OutgoingEmail, __: str) -> None:
        """The e-mail is not sent: ``compose`` has checked it."""

    handler = email_handler(site.db, {kind: noting(kind) for kind in made}, send)

    async def deliver() -> None:
        while await run_once(site.db, {JobKind.MAIL: one_job_per_call(handler)}):
            pass

    # Occasions in which months pass come last, because the events are over afterwards.
    for occasion in [OCCASIONS[kind] for kind in sorted(OCCASIONS, key={SUCCESSION_MAIL, LAST_CALL_MAIL}.__contains__)]:
        # Guests and people who sign in get e-mail in the language of their page.
        with speaking(pseudo.TAG):
            await occasion(site, deliver)
        await deliver()
    assert sent == {kind: set() for kind in made}


def _payloads(payload: type[Payload], now: Instant) -> list[Payload]:
    """Payloads that together reach every branch of the templates."""
    when, day = ShownTime(now, "Europe/Berlin"), ShownTime(now, "Europe/Berlin", is_day=True)
    weekly = RecurrenceSummary("FREQ=WEEKLY;BYDAY=TU", datetime(2026, 3, 3, 18))  # noqa: DTZ001  # wall time
    match payload():
        case DatesChanged():
            every = tuple(field.name for field in FIELDS)
            return [
                DatesChanged(),
                DatesChanged(started=when, starts=day, more=5, others=(when, day), others_moved=True, repeats=weekly),
                DatesChanged(was_at="Zqherezq", is_at="Zqtherezq", others=(when,), more=1, reason="Zqwhyzq"),
                DatesChanged(was_at="", is_at="", is_going=True, starts=when, more=3),
                DatesChanged(is_near=True, is_going=True),
                DatesChanged(parts=(*every, "end")),
                DatesChanged(more=1, starts=when),
            ]
        case NewAnswer():
            return [NewAnswer(answer=status.value) for status in AttendanceStatus]
        case Approval():
            return [Approval(answer="waitlisted"), Approval(answer="attending")]
        case Rejection():
            return [Rejection(), Rejection(title="Zqtitlezq", starts=when)]
        case InvitationReceived():
            return [InvitationReceived(), InvitationReceived(more=1), InvitationReceived(more=3)]
        case HostMessageReceived():
            return [HostMessageReceived(text="Zqtextzq")]
        case HandOver():
            steps = ("event taken", "series taken", "event declined", "series declined", "event", "")
            return [HandOver(step=step) for step in steps]
        case ModerationPayload():
            return [ModerationPayload(), ModerationPayload(is_hidden=True, reason="Zqwhyzq")]
        case SearchMatch():
            return [SearchMatch(search_name="Zqsearchzq")]
        case RoleDecided():
            return [RoleDecided(role=role) for role in (*GroupRole, "")]
        case Succession():
            ways = "offered declined accepted backup asked stopped taken_over yours taken_back passed_on"
            return [Succession(step=step) for step in ways.split()]
        case _:
            return [payload()]


@pytest.fixture
async def recipient(make_sqlite: MakeDatabase, clock: HandClock) -> CurrentState:
    """A person with an offered place at a cancelled event, who is also in a group."""
    db = await make_sqlite("openmeet")
    async with db.transaction() as tx:
        host = await person(tx, "Ana")
        event = await event_by(tx, host, title="Zqeventzq", venue_name="Zqplacezq")
        mine = await attendance.answer(tx, await person(tx, "Ben"), event.slug, RsvpReply.GOING)
        group = await group_by(tx, host, name="Zqgroupzq")
    announced = Announcement(AnnouncementId("1"), GroupId(group.id), host.user_id, "Zqtextzq", clock.now(), None)
    return CurrentState(
        mine.user_id,
        clock.now(),
        event=replace(event, status_reason="Zqwhyzq"),
        own_rsvp=replace(mine, party=2, offered_until=Instant(clock.now() + HOUR)),
        group=group,
        announcement=announced,
        chat=CurrentChatState("Zqtitlezq", "/chat", "/chat", "Zqsaidzq", 2, ("Zqlinezq",)),
    )


async def test_every_kind_of_notification_is_fully_translated(recipient: CurrentState) -> None:
    """The notifications are checked on the page and in e-mails, with and without a date, a name and a reason."""
    found = {}
    with speaking(pseudo.TAG):
        for kind in KINDS.values():
            texts = [
                text
                for payload in _payloads(kind.payload, recipient.now)
                for text in _written(kind, payload, recipient)
            ]
            found[kind.name] = {bad for text in texts for bad in untranslated_texts(_as_page(text), _CONTENT)}
    assert found == {name: set() for name in KINDS}


def _written(kind: NotificationKind[Any], payload: Payload, recipient: CurrentState) -> Iterator[str]:
    assert recipient.event is not None
    assert recipient.own_rsvp is not None
    states = (
        recipient,
        replace(recipient, event=replace(recipient.event, starts_at=None, status_reason="")),
        replace(recipient, own_rsvp=replace(recipient.own_rsvp, status=AttendanceStatus.WAITLISTED, party=1)),
    )
    for one in states:
        for shut_out in (False, True):
            yield "Zqtitlezq".join(texts.line(kind, payload, one, {}, is_shut_out=shut_out))
            point = texts.point(kind, payload, one, {}, title="Zqtitlezq", is_shut_out=shut_out)
            yield from (point.heading, point.words, point.quote, point.action)
            yield from (words for one in point.changes for words in (one.label, one.was, one.now))


async def test_sentences_are_separated_by_one_space(recipient: CurrentState) -> None:
    """Each sentence is on its own line of the template and is followed by a single space in the output."""
    with speaking(SOURCE):
        for kind in KINDS.values():
            for payload in _payloads(kind.payload, recipient.now):
                for text in _written(kind, payload, recipient):
                    assert not re.search(r"[a-z][.:!?][A-Z]|  ", text), text


def test_templates_are_found() -> None:
    names = {name for name, _ in _templates()}
    assert {path.name for path in Path(texts.TEMPLATES).iterdir()} <= names
    assert {"notification.txt", "mail.html"} <= names
