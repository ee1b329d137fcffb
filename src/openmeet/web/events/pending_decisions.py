"""What waits for a person: events to answer, and the rows of “Needs you” except requests for a place. Each row has
buttons or links to decide. Shown on the home page and above the notifications.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final
from urllib.parse import quote

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.signing_key import SigningKey
from openmeet.domain.attendance import answer_texts
from openmeet.domain.attendance.answer_bar import AnswerAction, AnswerState
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.moved_dates import MovedDates
from openmeet.domain.chat import objections
from openmeet.domain.events import co_hosts, time_and_place
from openmeet.domain.events.model import Event
from openmeet.domain.groups.model import Group
from openmeet.domain.host_tasks import decisions
from openmeet.domain.host_tasks.decisions import DecisionKind, GroupRequests, UndecidedRoom
from openmeet.domain.host_tasks.undelivered import AddressSource, UndeliveredEmails, undelivered
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.moderation import reports
from openmeet.domain.page_paths import event_path, group_path, series_path
from openmeet.domain.search import my_event_lists, waiting_events
from openmeet.domain.series import ownership as series_ownership
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.network.ingestion.merge_review import UnreviewedMerge, unreviewed
from openmeet.web.events import co_hosts_pages
from openmeet.web.events.asking_people import AskingList, asking_by_event, asking_by_group
from openmeet.web.events.listing import CardList, EventCard, ListedFacts, card_of, facts_of
from openmeet.web.events.merged_fields import FIELD_LABELS

# Only a few are shown; the linked lists are complete.
MAX_WAITING: Final = 4
# More are read than shown, because invitations that can no longer be answered are left out.
READ_WAITING: Final = 2 * MAX_WAITING
# Read if too few of those can be answered.
_READ_AT_MOST: Final = 6 * MAX_WAITING
_MAX_NAMED: Final = 3
DISMISS_PATH: Final = "/my/undelivered"
# The page on which the address can be corrected.
_FIX: Final = {
    AddressSource.CO_HOSTS: "/events/{slug}/hosts",
    AddressSource.GUEST_LIST: "/import/lists/guests/{slug}",
    AddressSource.INVITATIONS: "/events/{slug}/attendees?tab=invited",
    AddressSource.MEMBER_LIST: "/import/lists/members/{slug}",
    AddressSource.MEMBERS: "/groups/{slug}/invitations",
}


@dataclass(frozen=True, slots=True)
class HomeButton:
    """A button with a reply or, if ``path`` is set, a link. ``spoken`` is its label for screen readers and includes the
    event's name.
    """

    words: str
    spoken: str
    reply: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """An event that waits for this person, with buttons to answer it. ``action`` is the path of their form.
    ``asks_host``: as its host, they decide on requests of other people. ``asking`` has these people.
    """

    card: EventCard
    sentence: str
    when: str
    buttons: tuple[HomeButton, ...]
    action: str
    asks_host: bool = False
    asking: AskingList | None = None


class TaskUrgency(IntEnum):
    """Order of the rows: first tasks for which people wait, then offers, then e-mails and records."""

    MODERATION = 0
    REQUESTS = 1
    OFFER = 2
    EMAIL = 3
    RECORD = 4


@dataclass(frozen=True, slots=True)
class TaskButton:
    """A link, or the button of a form if ``fields`` is not None. ``fields`` are the hidden fields of the form.

    ``spoken`` is the label for screen readers, which names the event, group or chat.
    """

    words: str
    spoken: str
    path: str
    fields: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class HostTask:
    """One row. Tasks of the same urgency are sorted by ``since``. ``asking`` has people to decide about."""

    urgency: TaskUrgency
    since: Instant
    icon: str
    title: str
    hint: str
    buttons: tuple[TaskButton, ...]
    asking: AskingList | None = None

    @property
    def comes_first(self) -> bool:
        """Whether the row is shown even before events to answer, so that it is never folded away."""
        return self.urgency is TaskUrgency.MODERATION


async def waiting_rows(reader: Reader, public_url: str, viewer: UserId) -> list[WaitingRow]:
    """The events that wait for this person, most urgent first."""
    events = await my_event_lists.waiting_for(reader, viewer, READ_WAITING)
    if not events:
        return []
    return await rows_of(
        reader, public_url, viewer, events, await facts_of(reader, events, CardList(public_url, viewer))
    )


async def rows_of(
    reader: Reader, public_url: str, viewer: UserId, first: Sequence[Event], facts: ListedFacts
) -> list[WaitingRow]:
    """Rows for the waiting events that the person can answer now. ``first``: the first ``READ_WAITING`` of them."""
    waiting = waiting_events.answerable(first, facts.bars)
    if len(waiting) < MAX_WAITING and len(first) == READ_WAITING:
        events = await my_event_lists.waiting_for(reader, viewer, _READ_AT_MOST)
        facts = await facts_of(reader, events, CardList(public_url, viewer))
        waiting = waiting_events.answerable(events, facts.bars)
    shown = waiting[:MAX_WAITING]
    moved = await waiting_events.series_moved(reader, viewer, shown, facts.bars)
    hosted = [event for event in shown if facts.bars[event.id].state is AnswerState.NEEDS_DECISIONS]
    numbers = {event.id: facts.bar_inputs[event.id].pending_rsvps for event in hosted}
    asking = await asking_by_event(reader, hosted, viewer, numbers)
    return [_waiting_row(event, facts, moved.get(event.id), asking.get(event.id)) for event in shown]


def _waiting_row(event: Event, facts: ListedFacts, moved: MovedDates | None, asking: AskingList | None) -> WaitingRow:
    bar_input, bar = facts.bar_inputs[event.id], facts.bars[event.id]
    card = card_of(event, facts)
    sentence = waiting_events.sentence_of(bar, bar_input, card.host, moved)
    if moved is not None:
        return _moved_series_row(event, card, moved, sentence)
    path, starts = event_path(event.slug), time_and_place.short_start_label(event)
    buttons = []
    for action in (bar.primary, bar.secondary):
        if action is None or (action is AnswerAction.EDIT):
            continue
        words = answer_texts.label_of(bar, action, bar_input.pending_rsvps)
        # The start tells dates of a series apart.
        accessible_name = f"{words}: {card.title}, {starts}"
        if action in {AnswerAction.GOING, AnswerAction.DECLINED} and not bar.shows_answer:
            buttons.append(HomeButton(words, accessible_name, reply=RsvpReply(action.value).value))
        elif action is AnswerAction.DECIDE and asking is None:
            buttons.append(HomeButton(words, accessible_name, path=f"{path}/attendees?tab=asking"))
    asks_host = bar.state is AnswerState.NEEDS_DECISIONS
    return WaitingRow(card, sentence, starts, tuple(buttons), f"{path}/answer", asks_host, asking)


def _moved_series_row(event: Event, card: EventCard, moved: MovedDates, sentence: str) -> WaitingRow:
    """One row for the moved dates of a series. ``event`` is the first of them."""
    path = series_path(moved.series_slug)
    confirm, look = answer_texts.confirm_all_label(moved.count), gettext("See each date")
    buttons = (
        HomeButton(confirm, f"{confirm}: {card.title}", reply=RsvpReply.GOING.value),
        HomeButton(look, f"{look}: {card.title}", path=path),
    )
    return WaitingRow(card, sentence, time_and_place.short_start_label(event), buttons, f"{path}/new-times")


async def tasks_of(reader: Reader, person: UserId, key: SigningKey, *, moderates: bool) -> list[HostTask]:
    """Return all tasks of this person, the most urgent first. ``moderates``: they are a moderator of the community, so
    the open reports are theirs, too.
    """
    tasks = await host_tasks(reader, person, key)
    if moderates:
        tasks += await _report_tasks(reader)
    return sorted(tasks, key=lambda one: (one.urgency, one.since))


async def host_tasks(reader: Reader, person: UserId, key: SigningKey) -> list[HostTask]:
    """Return what this person decides as a host or for a group, the most urgent first."""
    waiting = await decisions.waiting_kinds(reader, person)
    tasks: list[HostTask] = []
    if DecisionKind.CHAT_MESSAGES in waiting:
        tasks += [_of_room(one, reader.now) for one in await decisions.undecided_rooms(reader, person)]
    if DecisionKind.GROUP_REQUESTS in waiting:
        requests = await decisions.group_requests(reader, person)
        asking = await asking_by_group(reader, requests, person)
        tasks += [_of_requests(one, asking.get(one.group.id), reader.now) for one in requests]
    if DecisionKind.OFFER in waiting:
        tasks += await _offer_tasks(reader, person, key)
    tasks += [_email_task(one, reader.now) for one in await undelivered(reader, person)]
    if DecisionKind.RECORD in waiting:
        tasks += [_of_record(one) for one in await decisions.undecided_records(reader, person)]
    tasks += [_of_merge(one) for one in await unreviewed(reader, person)]
    return sorted(tasks, key=lambda one: (one.urgency, one.since))


async def _report_tasks(reader: Reader) -> list[HostTask]:
    """Reports to the moderators of the community: about events, groups, people and photos, and about chat messages."""
    tasks = []
    if reported := await reports.reported_subjects(reader, after=None, limit=1):
        number = await reports.count_open(reader)
        title = ngettext("%(number)s report needs a decision", "%(number)s reports need a decision", number)
        tasks.append(_of_reports(title, "/moderation", reported[0].since, reader.now))
    if messages := await objections.waiting_for_site(reader, limit=1):
        title = _chat_messages_label(await objections.count_for_site(reader))
        tasks.append(_of_reports(title, "/moderation/chat", messages[0][1], reader.now))
    return tasks


def _of_reports(title: str, path: str, since: Instant, now: Instant) -> HostTask:
    name = gettext("Moderation")
    hint = f"{name} · {formatting.ago(since, now)}"
    button = _task_button(gettext("Review"), title, name, path)
    return HostTask(TaskUrgency.MODERATION, since, "flag", title, hint, (button,))


def _chat_messages_label(number: int) -> str:
    return ngettext("%(number)s chat message needs a decision", "%(number)s chat messages need a decision", number)


def _of_room(room: UndecidedRoom, now: Instant) -> HostTask:
    name = room.address.name
    title = _chat_messages_label(room.messages)
    hint = f"{name} · {formatting.ago(room.since, now)}"
    return HostTask(
        TaskUrgency.MODERATION,
        room.since,
        "flag",
        title,
        hint,
        (_task_button(gettext("Review"), title, name, room.path),),
    )


def _of_requests(group_requests: GroupRequests, asking: AskingList | None, now: Instant) -> HostTask:
    name = group_requests.group.details.name
    title = ngettext("%(number)s person wants to join", "%(number)s people want to join", group_requests.number)
    hint = f"{name} · {formatting.ago(group_requests.since, now)}"
    path = f"{group_path(group_requests.group.slug)}/requests"
    buttons = (_task_button(gettext("Review"), title, name, path),) if asking is None else ()
    return HostTask(TaskUrgency.REQUESTS, group_requests.since, "group", title, hint, buttons, asking)


async def _offer_tasks(reader: Reader, person: UserId, key: SigningKey) -> list[HostTask]:
    """Co-host invitations, and offers to take over an event, a series or a group."""
    co_host_offers, _ = await co_hosts_pages.asked_of(reader, person, key)
    events = await decisions.offered_events(reader, person)
    series = await series_ownership.open_to(reader, person, await series_ownership.offered_to(reader, person))
    groups = await decisions.offered_groups(reader, person)
    names = await shown_names(
        reader,
        [
            *(one.author_id for one, _ in events),
            *(one.owner_id for _, one in series),
            *(one.owner_id for one, _ in groups),
        ],
    )
    tasks = [
        _offer_task(co_hosts.invitation_label(one.by), one.title, one.path, one.expires_at) for one in co_host_offers
    ]
    tasks += [
        _offer_task(_hand_over_label(names[one.author_id]), one.title, f"{event_path(one.slug)}/hosts", since)
        for one, since in events
    ]
    tasks += [
        _offer_task(_hand_over_label(names[one.owner_id]), one.content.title, series_path(one.slug), offer.created_at)
        for offer, one in series
    ]
    tasks += [
        _offer_task(_hand_over_label(names[one.owner_id]), one.details.name, f"{group_path(one.slug)}/ownership", since)
        for one, since in groups
    ]
    return tasks


def _hand_over_label(name: str) -> str:
    return gettext("%(name)s wants to hand this over to you", name=name)


def _offer_task(title: str, about: str, path: str, since: Instant) -> HostTask:
    return HostTask(
        TaskUrgency.OFFER, since, "person", title, about, (_task_button(gettext("Say yes or no"), title, about, path),)
    )


def _email_task(undelivered_emails: UndeliveredEmails, now: Instant) -> HostTask:
    """The time at which an e-mail was rejected is not stored. These tasks are sorted by ``now`` instead, so they keep
    their order.
    """
    name = (
        undelivered_emails.about.details.name
        if isinstance(undelivered_emails.about, Group)
        else undelivered_emails.about.title
    )
    title = ngettext("%(number)s e-mail didn’t arrive", "%(number)s e-mails didn’t arrive", undelivered_emails.people)
    buttons = []
    if undelivered_emails.source is AddressSource.PERSON:
        about = (
            gettext("to people who answered") if isinstance(undelivered_emails.about, Event) else gettext("to members")
        )
        buttons.append(
            _task_button(gettext("See guests"), title, name, f"{event_path(undelivered_emails.about.slug)}/attendees")
        )
        if isinstance(undelivered_emails.about, Group):
            buttons = [
                _task_button(
                    gettext("See members"), title, name, f"{group_path(undelivered_emails.about.slug)}/members"
                )
            ]
    else:
        about = _addresses_label(undelivered_emails.addresses)
        buttons.append(
            _task_button(
                gettext("Fix"),
                title,
                name,
                _FIX[undelivered_emails.source].format(slug=quote(undelivered_emails.about.slug)),
            )
        )
    words = gettext("Dismiss")
    fields = (("about", undelivered_emails.about.id), ("source", undelivered_emails.source.value))
    buttons.append(TaskButton(words, f"{words}: {title}, {name}", DISMISS_PATH, fields))
    return HostTask(TaskUrgency.EMAIL, now, "mail", title, f"{name} · {about}", tuple(buttons))


def _addresses_label(addresses: Sequence[str]) -> str:
    named, more = ", ".join(addresses[:_MAX_NAMED]), len(addresses) - _MAX_NAMED
    if more <= 0:
        return named
    return ngettext("%(addresses)s and %(number)s more", "%(addresses)s and %(number)s more", more, addresses=named)


def _of_record(event: Event) -> HostTask:
    path = event_path(event.slug)
    if event.record_deleted_at is not None:
        title = gettext("Deleted in another app")
        hint = gettext("%(title)s · it stays here until you decide", title=event.title)
        return HostTask(
            TaskUrgency.RECORD,
            event.record_deleted_at,
            "sync",
            title,
            hint,
            (_task_button(gettext("Decide"), title, event.title, path),),
        )
    title = gettext("Changed by a co-host")
    hint = gettext("%(title)s · other apps see the change once you sync it", title=event.title)
    words = gettext("Sync the change")
    button = TaskButton(words, f"{words}: {event.title}", f"{path}/publish", ())
    return HostTask(TaskUrgency.RECORD, event.updated_at, "sync", title, hint, (button,))


def _of_merge(merge: UnreviewedMerge) -> HostTask:
    title = gettext("Changed in another app")
    labels = list(dict.fromkeys(str(FIELD_LABELS.get(name, name)) for name in merge.fields))
    path = f"/{merge.noun}/{quote(merge.slug)}/merged"
    hint = f"{merge.title} · {', '.join(labels)}"
    return HostTask(
        TaskUrgency.RECORD,
        merge.since,
        "sync",
        title,
        hint,
        (_task_button(gettext("Review"), title, merge.title, path),),
    )


def _task_button(words: str, title: str, about: str, path: str) -> TaskButton:
    return TaskButton(words, f"{words}: {title}, {about}", path)
