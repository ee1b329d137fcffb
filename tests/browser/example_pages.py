"""A deployment in which every page has content, and the paths of its pages."""

from datetime import datetime

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Transaction
from groundwork.sealing import Sealer
from openmeet.domain.api_tokens import tokens as api_tokens
from openmeet.domain.api_tokens.scopes import TokenScope
from openmeet.domain.api_tokens.tokens import NewToken
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, host_decisions, invitations, proofs, rsvp_records
from openmeet.domain.attendance.model import RecordedRsvp, ReplyDetails, RsvpRecordStatus, RsvpReply
from openmeet.domain.attendance.proofs import ShownAs
from openmeet.domain.attendance.registration import RegistrationQuestion, RegistrationSettings
from openmeet.domain.chat import messages as chat_messages
from openmeet.domain.chat import objections, sanctions
from openmeet.domain.chat.model import ChatMessage
from openmeet.domain.events import actions as events
from openmeet.domain.events import co_host_invitations, co_hosts, drafts, record_changes
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import Event
from openmeet.domain.events.rules import Submission
from openmeet.domain.guest_rsvps import actions as guests
from openmeet.domain.guest_rsvps.actions import token_of
from openmeet.domain.host_messages import actions as messages
from openmeet.domain.media.pictures import PictureFormat, PreparedPicture, Size
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import FieldDecision, MergeReason, MergeSide
from openmeet.domain.moderation import moderators
from openmeet.domain.moderation.model import ModeratedKind, ReportReason
from openmeet.domain.notifications.email_links import EmailLink, LinkPurpose, token_for
from openmeet.domain.photos import queries as photos
from openmeet.domain.photos.model import PhotoKey
from openmeet.domain.profiles import actions as profiles
from openmeet.domain.safety import actions as safety
from openmeet.domain.saved_searches import actions as saved_searches
from openmeet.domain.series import actions as series
from openmeet.domain.series import cancel_dates, detection_queries, standing_rsvps
from openmeet.domain.series.detection import DetectedSeries
from openmeet.domain.series.detection_queries import DetectionState
from openmeet.domain.series.model import SeriesSlug, Timing
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from openmeet.domain.webhooks import actions as webhooks
from openmeet.domain.webhooks.model import WEBHOOK_EVENT_LABELS
from openmeet.network.ingestion.three_way_merge import encode_edits
from openmeet.outbox import email_suppressions
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.site_under_test import CODE_KEY, event_by, person

QUESTIONS = (
    RegistrationQuestion("q1", "What do you eat?", ("Everything", "Vegan"), is_required=True),
    RegistrationQuestion("q2", "W" * 90),
)
# The examples that visitors see who are not signed in, and further pages for them.
FOR_VISITORS = ("home", "event", "cancelled event", "series", "new", "answer as guest", "absent", "code")
DOORS = {"sign in": "/sign-in", "no code": "/sign-in/code?challenge=x", "components": "/dev/components"}
LONG = "An evening with an unusually long title, Donaudampfschifffahrtsgesellschaftskapitän included"


async def add_examples(openmeet, title: str = LONG) -> tuple[str, dict[str, str]]:
    """Fill a deployment so that every page has content. Returns the host's session token and the paths to check."""
    async with openmeet.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana Lindqvist", "Ben", "Cleo")]
        open_event = await event_by(
            tx,
            ana,
            title=title,
            capacity="1",
            mode="hybrid",
            online_url="https://meet.example/x",
            description="# Hi\n\n- a",
            door_note="Ring twice",
            price="5 €",
            ticket_url="https://tickets.example/with/a/long/path",
            access="step_free,quiet_room",
            access_note="One step.",
            categories="games,community",
            tags="cooperative games, beginners",
            languages="en,de",
        )
        draft = await drafts.begin(tx, ana, Submission(title="Not yet", starts="2027-01-01T10:00"), {})
        asked_to_host = await co_hosts.invite(tx, ana, open_event.slug, "somebody.with.a.long.name@example.org")
        await messages.write(tx, ana, open_event.slug, "See you.", ["going"], send_at=Instant(tx.now + DAY))
        cancelled = await event_by(tx, ana, title="Morning run")
        cafe = await event_by(tx, ben, title="Repair café")
        asked = RegistrationSettings(
            limit_online=1, max_party=3, asks_names=True, needs_approval=True, questions=QUESTIONS
        )
        await event_hosting.change_registration_settings(tx, ana, open_event.slug, asked)
        await api_tokens.make(tx, ana, NewToken("The club's website, and its newsletter", frozenset(TokenScope), None))
        address = "https://club.example/a/rather/long/address/that/nobody/would/type/by/hand"
        kinds = frozenset(WEBHOOK_EVENT_LABELS)
        webhook, _ = await webhooks.register(
            tx, ana, Sealer([CODE_KEY.newest]), url=address, kinds=kinds, group_id=None
        )
        await webhooks.ping(tx, webhook)
        said = ReplyDetails(party=1, form_responses={"q1": "Everything"}, is_private=True)
        await attendance.answer(tx, ana, open_event.slug, RsvpReply.GOING, said)
        for who in (ben, cleo):
            await attendance.answer(tx, who, open_event.slug, RsvpReply.GOING, said)
        dora = await invitations.invite(tx, ana, open_event.slug, "dora@example.org")
        shadow = await users.create_shadow(tx, display_name="carla.example.org")
        rsvp_record = RecordedRsvp(open_event.id, shadow, "at://x", RsvpRecordStatus.GOING, first_seen_at=tx.now)
        await rsvp_records.apply_from_network(tx, rsvp_record)
        await event_hosting.cancel(tx, ana, cancelled.slug, "The path is closed.")
        await merged_into(tx, open_event)
        rehearsals = await series_by(tx, ana, ben, title)
        await series_found(tx, ana, rehearsals, open_event)
        weekly = Timing(pattern(datetime(2026, 2, 6, 20), "Europe/Berlin", parse_rule("FREQ=WEEKLY;BYDAY=FR")), None)  # noqa: DTZ001  # wall time is naive
        new_series = await series.create(tx, ana, Content("Film night", "Bring a cushion."), weekly)
        stop = await token_for(tx, CODE_KEY, EmailLink(ben.user_id, LinkPurpose.UNSUBSCRIBE, "changes"))
        answer = await token_for(tx, CODE_KEY, EmailLink(ben.user_id, LinkPurpose.ANSWER, open_event.id))
        run = await event_by(tx, ben, title="A walk around the lake", capacity="9")
        await attendance.answer(tx, ana, run.slug, RsvpReply.GOING)
        ticket = await token_for(tx, CODE_KEY, EmailLink(ana.user_id, LinkPurpose.ANSWER, run.id))
        tea = await event_by(tx, ben, title="Sunday tea", starts="2026-03-01T12:00", ends="2026-03-01T15:00")
        visit = await attendance.answer(tx, ana, tea.slug, RsvpReply.GOING)
        await host_decisions.check_in(tx, ben, tea.slug, visit.id)
        proof = await proofs.make(tx, CODE_KEY, ana, tea.slug, ShownAs.NAME)
        guest = await guests.request_rsvp(
            tx,
            cafe.slug,
            email="eve@example.org",
            display_name="Eve",
            reply=RsvpReply.GOING,
            reply_details=ReplyDetails(),
        )
        await profiles.follow(tx, ana, ben.user_id)
        for asked in ({"q": "games"}, {"q": "cooperation", "category": "games", "near": "52.52, 13.40"}):
            await saved_searches.save(tx, ana, asked)
        fresh = await event_by(tx, ana, title="Nobody answered yet")
        removed = await event_by(tx, ana, title="Taken away")
        await events.delete(tx, ana, removed.slug)
        await safety.report(tx, ana, ModeratedKind.EVENT, cafe.slug, ReportReason.SPAM, "An ad.")
        room = await room_of(tx, ana, subject_of_event(open_event))
        message = await send_text(tx, ana, room, f"{LONG}? https://example.org/{'w' * 80}")
        await send_text(tx, ana, room, "Tea for everybody", reply_to=message.id)
        of_photos = await with_photos(tx, ana, ben)
        of_chat = await kept_in_order(tx, ana, ben)
        code = await sign_in.ask_for_code(tx, "fay@example.org")
        session = await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)
    paths = {
        "home": "/",
        "code": f"/sign-in/code?challenge={code.id}",
        "nothing found": "/?q=zzz",
        "event": f"/events/{open_event.slug}",
        "cancelled event": f"/events/{cancelled.slug}",
        "new": "/events/new",
        "edit": f"/events/{open_event.slug}/edit",
        "cancel": f"/events/{open_event.slug}/cancel",
        "draft": f"/events/{draft.slug}",
        "draft's form": f"/events/{draft.slug}/draft",
        "copy": f"/events/{open_event.slug}/duplicate",
        "hosts": f"/events/{open_event.slug}/hosts",
        "asked to host": f"/co-hosting/{co_host_invitations.token_of(CODE_KEY, asked_to_host.id)}",
        "messages": f"/events/{open_event.slug}/messages",
        "picture": f"/events/{open_event.slug}/picture",
        "publishing of an event": f"/events/{open_event.slug}/publishing",
        "one's answer": f"/events/{open_event.slug}/answer",
        "sync of one's answer": f"/events/{open_event.slug}/answer/sync",
        "answers and places": f"/events/{open_event.slug}/joining",
        "attendees": f"/events/{open_event.slug}/attendees",
        "nobody found": f"/events/{open_event.slug}/attendees?q=zzz",
        "guest list": f"/events/{open_event.slug}/guest-list",
        "one attendee": f"/events/{open_event.slug}/attendees/{dora.id}",
        "numbers": f"/events/{open_event.slug}/numbers",
        "as a guest": f"/events/{open_event.slug}?as=guest",
        "as a stranger": f"/events/{open_event.slug}?as=stranger",
        "door": f"/events/{open_event.slug}/check-in",
        "ticket": f"/events/{open_event.slug}/ticket",
        "one's proof of attendance": f"/events/{tea.slug}/attendance-proof",
        "one's proofs of attendance": "/settings/attendance-proofs",
        "proof of attendance": f"/attendance-proofs/{proof.token}",
        "confirm as guest": f"/answers/confirm/{token_of(CODE_KEY, guest.id)}",
        "answer as guest": f"/events/{open_event.slug}/guest-answer",
        "guest's link sent": f"/events/{open_event.slug}/guest-answer/sent",
        "delete": f"/events/{open_event.slug}/delete",
        "what was merged": f"/events/{open_event.slug}/merged",
        "embed builder": f"/events/{open_event.slug}/embed",
        "list of series": "/series",
        "series": f"/series/{rehearsals}",
        "new series": f"/series/{new_series.slug}",
        "edit series": f"/series/{rehearsals}/edit",
        "picture of a series": f"/series/{rehearsals}/picture",
        "cancel series": f"/series/{rehearsals}/cancel",
        "pause series": f"/series/{rehearsals}/pause",
        "delete series": f"/series/{rehearsals}/delete",
        "dates of a series": f"/series/{rehearsals}/manage",
        "add an event to a series": f"/series/{rehearsals}/add-event",
        "followers of a series": f"/series/{rehearsals}/followers",
        "hand a series over": f"/series/{rehearsals}/hand-over",
        "repeat an event": f"/events/{open_event.slug}/repeat",
        "my series": "/my/series",
        "one's home": "/home",
        "my events": "/my/events?which=hosting",
        "my empty list": "/my/events?which=waiting",
        "news": "/notifications",
        "settings": "/settings",
        "sessions": "/settings/sessions",
        "suggestions": "/settings/suggestions",
        "the map": "/?view=map",
        "a month of events": "/?view=month",
        "profile": "/settings/profile",
        "portrait": "/settings/picture",
        "a search": "/?q=caf%C3%A9",
        "kept searches": "/my/searches",
        "a host": f"/people/{ben.user_id}",
        "one's own page": f"/people/{ana.user_id}",
        "whom one follows": "/my/people",
        "identity": "/settings/identity",
        "moving records": "/settings/identity/move",
        "what one hears of": "/settings/notifications",
        "tokens": "/settings/tokens",
        "webhooks": "/settings/webhooks",
        "a webhook": f"/settings/webhooks/{webhook.id}",
        "stop mail": f"/mail/stop/{stop}",
        "never again": f"/mail/never/{email_suppressions.token_of(CODE_KEY, 'eve@example.org')}",
        "answer from a mail": f"/mail/answer/{answer}",
        "ticket from a mail": f"/mail/ticket/{ticket}",
        "welcome": "/welcome",
        "first minutes": "/welcome/start",
        "sharing": f"/events/{open_event.slug}/share",
        "people": f"/events/{open_event.slug}/people",
        "sharing of a series": f"/series/{rehearsals}/share",
        "sharing of a host": f"/people/{ben.user_id}/share",
        "a search for nothing": "/?q=xyzzy",
        "offline": "/offline",
        "help": "/help",
        "a question": "/help/sharing",
        "about": "/about",
        "terms": "/terms",
        "privacy": "/privacy",
        "accessibility": "/accessibility",
        "api": "/api",
        "changing the e-mail address": "/settings/email",
        "joining two accounts": "/settings/join",
        "what one reads": "/my/reading",
        "status": "/status",
        "mailbox": "/dev/mail",
        "absent": "/nowhere",
        "fresh event": f"/events/{fresh.slug}",
        "removed": f"/events/{removed.slug}",
        "report": f"/events/{cafe.slug}/report",
        "reported": f"/events/{cafe.slug}/report?sent=yes",
        "my calendar": "/my/calendar",
        **calendar_pages(open_event),
        "series found": "/my/series/found",
        "calendars": "/settings/calendars",
        "safety": "/settings/safety",
        "one's data": "/settings/data",
        "delete account": "/settings/delete",
        **chat_pages(open_event, message),
        **of_chat,
        "bring in": "/import",
    }
    paths |= of_photos
    return session.token, paths


def calendar_pages(event: Event) -> dict[str, str]:
    """The calendar on the day of an event."""
    on = event.starts_local[:10]
    return {f"my calendar, {view}": f"/my/calendar?view={view}&on={on}" for view in ("month", "week", "agenda")}


def chat_pages(event: Event, message: ChatMessage) -> dict[str, str]:
    return {
        "chats": "/chat",
        "no chats": "/chat?q=zzz",
        "chat": f"/events/{event.slug}/chat",
        "people of a chat": f"/events/{event.slug}/chat/people",
        "settings of a chat": f"/events/{event.slug}/chat/settings",
        "search in a chat": f"/events/{event.slug}/chat?q=",
        "found in a chat": f"/events/{event.slug}/chat?q=tea",
        "message of a chat": f"/chat/messages/{message.id}",
        "chat of the hosts": f"/chat/hosts/event/{event.slug}",
    }


async def kept_in_order(tx: Transaction, ana: Caller, ben: Caller) -> dict[str, str]:
    """Pages about reports, removals and objections for Ana, who hosts and moderates, and Ben’s link from an e-mail."""
    await moderators.appoint(tx, ana.user_id, by=None)
    event = await event_by(tx, ana, title="Chess in the hall")
    await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
    room = await room_of(tx, ana, subject_of_event(event))
    theirs = await send_text(tx, ben, room, f"Buy this: {'w' * 80}")
    await sanctions.report(tx, ana, theirs.id, ReportReason.SPAM, f"An ad. {'x' * 90}")
    gone = await send_text(tx, ana, room, "You fools")
    await sanctions.report(tx, ben, gone.id, ReportReason.ABUSE, f"Insults. {'y' * 90}", to_tenant=True)
    sealer = Sealer([one.digest(b"openmeet/chat/removed") for one in CODE_KEY.each()])
    mod = await person(tx, "Mona")
    await chat_messages.remove(tx, mod, gone.id, "No insults, please", sealer, of_site=True)
    await objections.object_to(tx, ana, gone.id, f"It was a quote. {'z' * 90}")
    back = await token_for(tx, CODE_KEY, EmailLink(ben.user_id, LinkPurpose.CHAT, room.id))
    return {
        "report a message": f"/chat/messages/{theirs.id}/report",
        "why a message was removed": f"/chat/messages/{gone.id}/object",
        "order in a chat": f"/events/{event.slug}/chat/moderation",
        "reported messages": "/moderation/chat",
        "a reported message": f"/moderation/chat/{gone.id}",
        "chat from a mail": f"/mail/chat/{back}",
    }


async def series_by(tx: Transaction, host: Caller, guest: Caller, title: str) -> SeriesSlug:
    """A series with a cancelled date, a date with limited places, answers and a reason."""
    timing = Timing(pattern(datetime(2026, 2, 3, 19), "Europe/Berlin", parse_rule("FREQ=WEEKLY;BYDAY=TU,TH")), None)  # noqa: DTZ001  # wall time is naive
    made = await series.create(tx, host, Content(title, "Bring a stand.", capacity=12), timing)
    await standing_rsvps.answer_all(tx, guest, made.slug, RsvpReply.GOING)
    await series.follow(tx, guest, made.slug)
    locked = await series.lock_managed(tx, host, made.slug)
    await cancel_dates.cancel_dates(tx, locked, ["2026-03-10T19:00:00"], "The hall is closed.")
    return made.slug


async def series_found(tx: Transaction, host: Caller, series_slug: SeriesSlug, event: Event) -> None:
    """Two series that were detected among single events: one waits for its author's confirmation, the other has it."""
    locked = await series.lock_managed(tx, host, series_slug)
    weekly = tuple((event.id, datetime(2026, 2, day, 19)) for day in (3, 10, 17))  # noqa: DTZ001  # wall time is naive
    for key, state, series_id in (("a", DetectionState.SUGGESTED, None), ("b", DetectionState.ACCEPTED, locked.id)):
        found = DetectedSeries(key, parse_rule("FREQ=WEEKLY;BYDAY=TU"), "Europe/Berlin", weekly, (), 0.9)
        await detection_queries.put(tx, host.user_id, found, state, series_id)


async def with_photos(tx: Transaction, ana: Caller, ben: Caller) -> dict[str, str]:
    """A past event with photos, whose files are missing, and one without. Returns the paths of its pages."""
    picnic = await event_by(tx, ana, title="Picnic", starts="2026-02-20T18:00", ends="2026-02-20T20:00")
    walk = await event_by(tx, ana, title="Walk", starts="2026-02-21T18:00", ends="2026-02-21T20:00")
    made = PreparedPicture({(Size.SMALL, PictureFormat.JPEG): b"x"}, 1600, 1200, None)
    keys = [PhotoKey(f"{number:032x}") for number in range(4)]
    for key, who in zip(keys, (ana, ben, ana, ana), strict=True):
        await photos.insert_waiting(tx, key, who.user_id, made, until=tx.now)
        await photos.add_to_event(tx, key, picnic.id, LONG, key)
    return {
        "photos": f"/events/{picnic.slug}/photos",
        "no photos": f"/events/{walk.slug}/photos",
        "own photo": f"/events/{picnic.slug}/photos/{keys[2]}",
        "another person's photo": f"/events/{picnic.slug}/photos/{keys[1]}",
        "report a photo": f"/events/{picnic.slug}/photos/{keys[1]}/report",
    }


async def merged_into(tx: Transaction, event: Event) -> None:
    """Another app changed title and description at the same time as the host."""
    uri = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/community.lexicon.calendar.event/x"
    await record_changes.store_record_uri(tx, event.id, uri=uri, cid="c", did="did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")
    kept = encode_edits({"name": LONG})
    decisions = (
        FieldDecision(
            "name", "Tea", LONG, "Tea in the park", MergeReason.MANUAL_EDIT_IS_KEPT, MergeSide.OURS, kept, kept
        ),
        FieldDecision(
            "description", "", "W" * 300, "Bring a cup.", MergeReason.MANUAL_EDIT_IS_KEPT, MergeSide.OURS, kept, kept
        ),
        FieldDecision(
            "starts_at", "", str(tx.now), str(tx.now + 1), MergeReason.ORIGIN_WINS, MergeSide.THEIRS, kept, kept
        ),
        FieldDecision("links", "", "", "https://example.org", MergeReason.MOST_RECENT, MergeSide.THEIRS),
    )
    await merge_decisions.store(tx, uri=uri, theirs_rev="r", ours_revision=1, decisions=decisions)
