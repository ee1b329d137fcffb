"""Answer bar of the event page: its sentence, its buttons, and whether the RSVP is shared with other apps under which
account.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from groundwork.database.transaction import Reader
from openmeet.domain.attendance import answer_bar_inputs, answer_texts, waitlist
from openmeet.domain.attendance.answer_badges import Badge, badges_on_page
from openmeet.domain.attendance.answer_bar import AnswerAction, AnswerBar, AnswerBarInput, AnswerState, answer_bar_of
from openmeet.domain.attendance.answer_texts import AnswerFigures
from openmeet.domain.attendance.model import Attendance, AttendanceStatus, RsvpCounts, RsvpReply
from openmeet.domain.attendance.registration import EventRegistration
from openmeet.domain.attendance.rules import are_rsvps_publishable
from openmeet.domain.events import time_and_place
from openmeet.domain.events.model import Event
from openmeet.domain.identities import publishing_preferences, session_queries
from openmeet.domain.identities.model import Consent, IdentityKind
from openmeet.domain.page_paths import event_path
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext
from openmeet.network.publishing.repository_choice import repository_for
from openmeet.outbox.publication_queries import uri_of
from openmeet.outbox.publications import PublicationKind
from openmeet.recurrence import wall_time
from openmeet.web.events.publication_view import ShownElsewhere, Sync

_REPLIES: Final = frozenset(one.value for one in RsvpReply)
_OUTSIDE: Final = frozenset({AnswerAction.JOIN, AnswerAction.DIRECTIONS})

# States in which the viewer can still answer, so the deadline matters to them.
_BEFORE_AN_ANSWER: Final = frozenset(
    {
        AnswerState.OPEN,
        AnswerState.APPROVAL,
        AnswerState.FULL,
        AnswerState.OFFER_EXPIRED,
        AnswerState.INVITED,
        AnswerState.MAYBE,
        AnswerState.DECLINED,
    }
)


@dataclass(frozen=True, slots=True)
class BarButton:
    """A button that posts ``reply`` or links to ``path``. ``spoken`` is its label for screen readers and includes the
    event's name.

    ``shows_answer``: the button shows the current answer.
    """

    words: str
    spoken: str
    reply: str = ""
    path: str = ""
    is_main: bool = False
    shows_answer: bool = False
    is_outside: bool = False


@dataclass(frozen=True, slots=True)
class AnswerBarView:
    """The bar as the template needs it. ``hint`` is shown below the sentence, outside the part that stays visible while
    scrolling.

    ``others`` are further replies, which the control labelled ``opens_others`` reveals. ``badges`` are shown above the
    title of the event. ``replies`` are all replies that the event accepts from the viewer now.
    """

    state: AnswerState
    sentence: str
    hint: str
    buttons: tuple[BarButton, ...]
    others: tuple[BarButton, ...]
    opens_others: str
    has_change: bool
    replies: tuple[RsvpReply, ...]
    badges: Sequence[Badge] = ()

    @property
    def takes_going(self) -> bool:
        return RsvpReply.GOING in self.replies

    @property
    def is_shown(self) -> bool:
        return bool(self.sentence or self.buttons or self.others)

    @property
    def has_room_to_share(self) -> bool:
        """Whether a button to share fits beside the others on a small phone. It does not beside an answer that waits,
        “Withdraw” and the other replies.
        """
        shows_answer = bool(self.buttons) and self.buttons[0].shows_answer
        return not (shows_answer and self.others) or self.has_change


class SharingState(StrEnum):
    """The states of the sharing line. ``CHOOSE`` has a switch, ``KEPT_HERE`` a button to share the RSVP. For ``GIVEN``,
    the status of the RSVP's record is shown instead.
    """

    STAYS_HERE = "stays_here"
    HOSTS_ONLY = "hosts_only"
    NOT_CONNECTED = "not_connected"
    SIGN_IN_AGAIN = "sign_in_again"
    CHOOSE = "choose"
    KEPT_HERE = "kept_here"
    GIVEN = "given"


@dataclass(frozen=True, slots=True)
class AnswerSharing:
    """How an RSVP is shared with other apps. ``name`` is the handle of the account under which it is shared. It is empty
    while that account is being created, if none is connected, or if its handle is unknown.
    """

    state: SharingState
    name: str = ""


@dataclass(frozen=True, slots=True)
class SharingLine:
    """The line beside an answer. ``badge`` is None if it would repeat or contradict the sentence."""

    state: SharingState
    name: str
    sentence: str
    badge: Sync | None


@dataclass(frozen=True, slots=True)
class PageFacts:
    """Data that the page has already loaded. A path is empty if there is nothing to link to.

    ``host`` is the author's name. ``join_url`` is the link to join online and ``directions_url`` the link to
    directions. Both are empty unless the viewer may know them. ``next_when`` says when the event at ``next_path`` is.
    """

    host: str
    counts: RsvpCounts
    is_hosting: bool
    join_url: str
    directions_url: str
    edit_path: str
    group_path: str
    next_path: str
    photos_path: str
    next_when: str = ""


async def page_answer_bar(
    reader: Reader,
    event_registration: EventRegistration,
    own_rsvp: Attendance | None,
    viewer: UserId | None,
    facts: PageFacts,
    *,
    requested_reply: str,
) -> AnswerBarView:
    """The bar of the event page. ``requested_reply`` is the reply that the viewer clicked before signing in."""
    bar_input = await answer_bar_inputs.bar_input_of(reader, event_registration, viewer, rsvp=own_rsvp)
    return await bar_view_of(reader, bar_input, facts, requested_reply=requested_reply)


async def bar_view_of(
    reader: Reader, without_page: AnswerBarInput, facts: PageFacts, *, requested_reply: str = ""
) -> AnswerBarView:
    """The bar of a page about the event of ``without_page``, which has loaded ``facts``."""
    rsvp = without_page.rsvp
    bar_input = replace(
        without_page,
        is_hosting=facts.is_hosting,
        pending_people=facts.counts.pending_people,
        pending_rsvps=facts.counts.pending_rsvps,
        may_join=bool(facts.join_url),
        has_directions=bool(facts.directions_url),
        may_edit=bool(facts.edit_path),
        may_message=without_page.is_welcome,
        has_next_date=bool(facts.next_path),
        sees_group=bool(facts.group_path),
        sees_photos=bool(facts.photos_path),
    )
    figures = AnswerFigures(
        host=facts.host,
        people_ahead=0 if rsvp is None else await waitlist.people_ahead(reader, rsvp),
        waiting=facts.counts.waiting,
        going=facts.counts.going,
        taken=facts.counts.seats,
    )
    paths = _paths_of(bar_input.event, facts)
    return answer_bar_view(bar_input, figures, paths, requested_reply, next_date=facts.next_when)


def answer_bar_view(
    bar_input: AnswerBarInput,
    figures: AnswerFigures,
    paths: Mapping[AnswerAction, str],
    requested_reply: str = "",
    *,
    next_date: str = "",
) -> AnswerBarView:
    """The bar for one viewer. ``paths`` are the targets of its links, ``next_date`` is the date at one of them."""
    bar = answer_bar_of(bar_input)
    spoken_of = f"{bar_input.event.title}, {time_and_place.start_label(bar_input.event).partition(',')[0]}"
    actions = [one for one in (bar.primary, bar.secondary) if one is not None and one is not AnswerAction.CHANGE]
    requested_reply = requested_reply if requested_reply in bar.replies else ""
    main = requested_reply or bar.primary
    labels = {one: answer_texts.label_of(bar, one, bar_input.pending_rsvps, next_date) for one in actions}
    return AnswerBarView(
        state=bar.state,
        sentence=_status_sentence(bar, bar_input, figures, requested_reply=requested_reply),
        hint=_hint(bar, bar_input),
        buttons=tuple(_button(bar, one, labels[one], paths, spoken_of, is_main=one == main) for one in actions),
        others=tuple(_reply(bar, one, spoken_of, is_main=one == requested_reply) for one in bar.others),
        opens_others=_opens_others(bar, bar_input),
        has_change=bar.secondary is AnswerAction.CHANGE,
        replies=bar.replies,
        badges=badges_on_page(bar_input, bar),
    )


def _paths_of(event: Event, facts: PageFacts) -> dict[AnswerAction, str]:
    at = event_path(event.slug)
    return {
        AnswerAction.CHANGE: f"{at}/answer",
        AnswerAction.TICKET: f"{at}/ticket",
        AnswerAction.DIRECTIONS: facts.directions_url,
        AnswerAction.JOIN: facts.join_url,
        AnswerAction.NEXT_DATE: facts.next_path,
        AnswerAction.ASK_HOSTS: f"/chat/direct/event/{quote(event.slug)}",
        AnswerAction.SEE_GROUP: facts.group_path,
        AnswerAction.DECIDE: f"{at}/attendees?tab=asking",
        AnswerAction.CHECK_IN: f"{at}/check-in",
        AnswerAction.INVITE: f"{at}/attendees#invite",
        AnswerAction.EDIT: facts.edit_path,
        AnswerAction.THANK: f"{at}/messages",
        AnswerAction.COPY: f"{at}/duplicate",
        AnswerAction.PHOTOS: facts.photos_path,
    }


def _button(
    bar: AnswerBar,
    action: AnswerAction,
    words: str,
    paths: Mapping[AnswerAction, str],
    spoken_of: str,
    *,
    is_main: bool,
) -> BarButton:
    if bar.shows_answer and action is bar.primary:
        accessible_name = gettext("%(answer)s: %(event)s (your answer)", answer=words, event=spoken_of)
        return BarButton(words, accessible_name, path=paths[AnswerAction.CHANGE], is_main=True, shows_answer=True)
    accessible_name = f"{words}: {spoken_of}"
    if action.value in _REPLIES:
        return BarButton(words, accessible_name, reply=action.value, is_main=is_main)
    return BarButton(words, accessible_name, path=paths[action], is_main=is_main, is_outside=action in _OUTSIDE)


def _reply(bar: AnswerBar, reply: RsvpReply, spoken_of: str, *, is_main: bool) -> BarButton:
    words = answer_texts.reply_label(bar, reply)
    if reply is bar.current_reply:
        accessible_name = gettext("%(answer)s: %(event)s (your answer)", answer=words, event=spoken_of)
        return BarButton(words, accessible_name, reply=reply.value, shows_answer=True)
    return BarButton(words, f"{words}: {spoken_of}", reply=reply.value, is_main=is_main)


def _status_sentence(bar: AnswerBar, bar_input: AnswerBarInput, figures: AnswerFigures, *, requested_reply: str) -> str:
    if requested_reply and bar_input.rsvp is None and not bar_input.is_hosting:
        return gettext(
            "Almost done: press “%(answer)s”.", answer=answer_texts.reply_label(bar, RsvpReply(requested_reply))
        )
    if bar.state is AnswerState.CANCELLED:
        # The banner above already says that the event is cancelled.
        return answer_texts.past_answer_sentence(bar_input.rsvp)
    return answer_texts.sentence_of(bar, bar_input, figures)


def _hint(bar: AnswerBar, bar_input: AnswerBarInput) -> str:
    if bar.state is AnswerState.WAITLISTED:
        return gettext("When a place becomes free, we hold it for you and e-mail you.")
    if bar.state is AnswerState.MOVED:
        return answer_texts.time_before_move_sentence(bar_input)
    closes_at = bar_input.event_registration.closes_at
    if closes_at is None or bar.state not in _BEFORE_AN_ANSWER:
        return ""
    local = wall_time.local_of(closes_at, bar_input.event.time_zone)
    return gettext("Answer until %(until)s.", until=formatting.span(local, None))


def _opens_others(bar: AnswerBar, bar_input: AnswerBarInput) -> str:
    if not bar_input.is_hosting:
        has_answered = bar.secondary in {AnswerAction.CHANGE, AnswerAction.DIRECTIONS}
        return gettext("Change") if has_answered else gettext("More answers")
    if bar_input.rsvp is not None and bar.current_reply is RsvpReply.GOING and bar_input.rsvp.is_seated:
        return answer_texts.going_sentence(bar_input.rsvp)
    return gettext("Are you going yourself?")


async def sharing_of(
    reader: Reader,
    event: Event,
    own_rsvp: Attendance | None,
    viewer: UserId,
    agreement: Consent,
    *,
    has_record: bool = False,
) -> AnswerSharing:
    """The sharing line for a signed-in person. ``has_record``: their RSVP has a record, or its record is being written.

    Nobody is asked to share an answer to an event that other apps do not know.
    """
    if not are_rsvps_publishable(event):
        return AnswerSharing(SharingState.STAYS_HERE)
    if own_rsvp is not None and own_rsvp.is_private:
        return AnswerSharing(SharingState.HOSTS_ONLY)
    if not agreement.is_given:
        is_known_elsewhere = event.record_uri is not None or await uri_of(reader, PublicationKind.EVENT, event.id)
        return AnswerSharing(SharingState.NOT_CONNECTED if is_known_elsewhere else SharingState.STAYS_HERE)
    if not (await publishing_preferences.of_user(reader, viewer)).writes_answers:
        return AnswerSharing(SharingState.STAYS_HERE)
    identity = await repository_for(reader, viewer, None)
    name = agreement.handle if identity is None else identity.handle
    is_unanswered = own_rsvp is None or own_rsvp.status in {AttendanceStatus.DECLINED, AttendanceStatus.INVITED}
    chooses = own_rsvp is None or (is_unanswered and not has_record)
    if own_rsvp is not None and not chooses and own_rsvp.skips_record:
        return AnswerSharing(SharingState.KEPT_HERE, name)
    if identity is not None and identity.kind is IdentityKind.CONNECTED:
        session = await session_queries.find_of(reader, identity.did, viewer)
        if session is None or session.needs_login:
            return AnswerSharing(SharingState.SIGN_IN_AGAIN, name)
    return AnswerSharing(SharingState.CHOOSE if chooses else SharingState.GIVEN, name)


def sharing_line_of(sharing: AnswerSharing, sync: Sync | None) -> SharingLine:
    """What the person reads beside their answer. ``sync``: the status of its record; None if it is not shown."""
    elsewhere = ShownElsewhere.NOTHING if sync is None else sync.elsewhere
    has_earlier = elsewhere in {ShownElsewhere.EVERYTHING, ShownElsewhere.OLDER_VERSION}
    match sharing.state:
        case SharingState.KEPT_HERE | SharingState.HOSTS_ONLY if has_earlier:
            # “Synced” would not be true of this answer.
            badge = None
        case SharingState.SIGN_IN_AGAIN if elsewhere is not ShownElsewhere.EVERYTHING:
            badge = None
        case _:
            badge = sync
    return SharingLine(sharing.state, sharing.name, _sharing_sentence(sharing, sync, elsewhere), badge)


def _sharing_sentence(sharing: AnswerSharing, sync: Sync | None, elsewhere: ShownElsewhere) -> str:
    match sharing.state, elsewhere:
        case SharingState.CHOOSE, _:
            return ""
        case SharingState.HOSTS_ONLY, ShownElsewhere.NOTHING:
            return gettext("Only the hosts see your name. Nothing is shared.")
        case SharingState.HOSTS_ONLY, ShownElsewhere.EVERYTHING | ShownElsewhere.OLDER_VERSION:
            return gettext("On this site, only the hosts see your name. Other apps show your earlier answer.")
        case SharingState.HOSTS_ONLY, _:
            return gettext("On this site, only the hosts see your name.")
        case SharingState.GIVEN | SharingState.SIGN_IN_AGAIN, ShownElsewhere.EVERYTHING:
            return (
                gettext("Shared as @%(name)s", name=sharing.name) if sharing.name else gettext("Shared with other apps")
            )
        case SharingState.SIGN_IN_AGAIN, _:
            if not sharing.name:
                return gettext("We can’t sync your answer until you sign in to your account again.")
            return gettext("We can’t sync your answer to @%(name)s until you sign in there again.", name=sharing.name)
        case (SharingState.GIVEN | SharingState.KEPT_HERE, ShownElsewhere.OLDER_VERSION) | (
            SharingState.KEPT_HERE,
            ShownElsewhere.EVERYTHING,
        ):
            return gettext("Other apps show your earlier answer.")
        case SharingState.STAYS_HERE | SharingState.NOT_CONNECTED | SharingState.KEPT_HERE, _ if sync is None:
            return gettext("Your answer stays on this site.")
        case _:
            return ""
