"""Page rendering: the template environment, and the layout around each page.

A page is ``page(request, "events/new.html", …)``: the first part of the name is the package that owns the template.
Escaping is on everywhere; an undefined name is an error, not an empty string.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, RedirectResponse, Response

from openmeet.i18n import formatting
from openmeet.i18n.markdown import html_of, summary_of
from openmeet.web.site import notices, subscribe_links
from openmeet.web.site.services import services
from openmeet.web.site.static_files import static_url

_WEB = Path(__file__).parent.parent

# Flash messages: the key travels in a cookie, the text never does.
SAID = {
    "signed_in": "You are signed in.",
    "signed_out": "You are signed out.",
    "signed_out_here": (
        "You are signed out of this browser. What you publish still goes to your server. To end that, too, sign in and choose"
        " “Sign out here and at your servers”."
    ),
    "signed_out_at_servers": (
        "You are signed out of this browser and at your servers. What is to be published waits until you sign in there again."
    ),
    "signed_out_everywhere": "You are signed out, here and everywhere else.",
    "identity_linked": "Your account is connected.",
    "identity_permitted": "Your server has answered. What you allow stands below.",
    "own_written": "Your server has it. It waits to come back here.",
    "own_deleted": "Your server has deleted it. It goes from here when that comes back.",
    "recovery_key_kept": "Our copy of the recovery key is erased. Yours is the only one we know of.",
    "identity_taken_over": "It is yours. Sign in there with your new password, so that we may go on publishing for you.",
    "identity_switched": "New records go there from now on.",
    "records_moved": "They move. The old records stay, and lead to the new ones.",
    "records_none_moved": "There was nothing to move.",
    "identity_unlinked": "It is disconnected, and we are signed out there.",
    "event_created": "Your event is up. Share its address.",
    "event_created_private": "Your event is made. Invite those whom it is for.",
    "event_waits": "Your event is saved. Others see it once a moderator of this site has looked at it; you hear of that.",
    "person_followed": "You follow them: you hear of new public events.",
    "person_unfollowed": "You follow them no more.",
    "search_kept": "Kept. When something new fits, you hear of it.",
    "search_on": "You hear of what is new from now on.",
    "search_off": "You hear nothing of this search any more.",
    "search_removed": "The search is removed.",
    "made_before": "This form had made this before. Here it is as it stands now; nothing new was made.",
    "event_held": "Saved as your draft: your server has not answered yet. We keep trying, and so can you.",
    "record_settings_saved": "Saved. What that changes on the network happens by itself.",
    "record_preferences_saved": "Saved. What that changes on the network happens by itself.",
    "event_tried": "Your server has not taken it yet. We keep trying.",
    "event_here_only": "It is shown here, and nothing of it is published.",
    "event_published": "Your server has it.",
    "event_saved": "Saved.",
    "new_link_made": "This page has a new link. The old one has stopped working.",
    "event_saved_full": "Saved. More people are going than there are places now: they keep theirs, and nobody moves up"
    " before there is room.",
    "event_unchanged": "Nothing was changed.",
    "event_cancelled": "The event is cancelled. We’re telling everybody who was coming, interested or waiting.",
    "event_cancelled_alone": "The event is cancelled. Nobody had answered, so nobody is told.",
    "event_reinstated": "The event is back on. We’re telling everybody who was coming, interested or waiting.",
    "event_deleted": "The event is deleted.",
    "detection_accepted": "It is a series now, and its next dates stand on its page.",
    "detection_refused": "They stay single events. You are not asked again.",
    "detection_undone": "Undone: it stands here as it was found.",
    "detection_undone_answered": "Undone. Dates that somebody answered stay.",
    "detection_undone_given_away": "Undone. The part that somebody else hosts by now stays theirs.",
    "detection_undone_answered_given_away": "Undone. Dates that somebody answered stay, and the part that somebody else hosts"
    " by now stays theirs.",
    "series_created": "Your series is up. Its next dates stand below.",
    "series_created_unlisted": "Your series is up for whoever has its address. Its next dates stand below.",
    "series_created_private": "Your series is made. Its next dates stand below; invite those whom they are for.",
    "series_waits": "Your series is saved. Others see it once a moderator of this site has looked at it; you hear of that.",
    "series_saved": "Saved.",
    "series_split": "Saved. From that date on this is a series of its own.",
    "series_cancelled": "The series is cancelled. We’re telling everybody who was coming, interested or waiting, once.",
    "dates_cancelled": "Cancelled. We’re telling everybody who was coming, interested or waiting, once.",
    "dates_reinstated": "They take place after all.",
    "dates_removed": "Removed. The rule leaves these dates out from now on.",
    "date_added": "The date is added.",
    "series_undone": "Undone: it is as it was before.",
    "series_agreed": "Agreed. The changes are on their way to the network.",
    "series_offered": "Offered. It stays yours until they say yes.",
    "event_offered": "Offered. It stays yours until they say yes.",
    "event_taken_over": "The event is yours now. Who had it before hosts it, too.",
    "offer_dropped": "There is no offer any more.",
    "series_taken_over": "You host this series now.",
    "series_paused": "Paused: no new dates until you let it go on. Whom it concerns is told.",
    "series_resumed": "The series goes on.",
    "series_deleted": "The series is deleted.",
    "people_kept": "They are on your list. Nobody has got mail.",
    "people_invited": "The letter is on its way, once to everybody.",
    "joined": "You are in.",
    "calendar_added": "Added. What it says stands in your calendar.",
    "calendar_known": "You have this calendar already.",
    "calendar_saved": "Saved.",
    "calendar_removed": "Taken away, with everything that it said.",
    "calendar_read": "It was asked. How that went stands beside it.",
    "feed_open": "Here is your address. Keep it to yourself.",
    "feed_renewed": "The address before works no more. Subscribe to the new one.",
    "feed_closed": "The address works no more.",
    "followed": "You follow this series.",
    "unfollowed": "You follow it no more.",
    "co_host_invited": "They are invited, and host it once they say yes.",
    "co_host_accepted": "You host this event, too.",
    "co_host_declined": "Noted: you do not host it.",
    "co_host_left": "You host it no more.",
    "co_host_removed": "They do not host it.",
    "message_sent": "Your message is sent.",
    "message_scheduled": "Your message waits for its time.",
    "message_called_off": "It is not sent.",
    "picture_saved": "The picture is up.",
    "picture_removed": "The picture is gone.",
    "not_going_to_later": "We won’t add new dates for you any more.",
    "not_going_to_any": "You’re not going to any coming date now.",
    "follow_silent": "You follow this series, muted.",
    "draft_saved": "Your draft is saved. Only you see it.",
    "draft_scheduled": "Your draft is saved. It is published by itself at that time.",
    "record_kept_here": "It stays here. Other apps no longer show it.",
    "event_unpublished": "It is a draft again: nobody but its hosts sees it.",
    "group_created": "Your group is made. Say what it is for, and invite people.",
    "group_saved": "Saved.",
    "group_repository_asked": "The group’s repository is being made. What is public of it is written there as soon as it is there.",
    "membership_shown": "You have said so. It is on its way to the network.",
    "membership_hidden": "It is taken back. Copies that others made may remain.",
    "group_deleted": "The group is deleted. Its events stay with their hosts.",
    "group_joined": "You are in. Welcome!",
    "group_asked": "You asked to get in. You hear of it when it is decided.",
    "group_left": "You left the group.",
    "group_unasked": "Your request is taken back.",
    "group_followed": "You follow this group: you hear of new public events.",
    "group_unfollowed": "You follow it no more.",
    "group_loud": "You hear of this group again.",
    "group_quiet": "You hear nothing of this group from now on.",
    "address_chosen": "The group has a new address. The one before leads there.",
    "announced": "Announced. Everybody in the group is told, as each has chosen.",
    "announcement_removed": "Removed here. Mails that left cannot be called back.",
    "role_given": "Saved. They are told.",
    "member_removed": "They are out, and may come back.",
    "member_banned": "They are out, and stay out.",
    "ban_lifted": "The ban is lifted. They may come again.",
    "requests_approved": "They are in, and are told.",
    "requests_declined": "Declined. They are told.",
    "requests_gone": "That was decided already.",
    "link_made": "Here is your link. Pass it on.",
    "mails_sent": "The invitations are on their way.",
    "invitation_revoked": "This invitation lets nobody in any more.",
    "invitation_declined": "Noted. The group does not write to you again.",
    "did_followed": "Their public events appear here as soon as they are read.",
    "did_unfollowed": "Their events appear no more.",
    "offer_made": "They are asked. The group is theirs when they accept.",
    "offer_ended": "The offer is over.",
    "offer_accepted": "The group is yours.",
    "succession_arranged": "Saved.",
    "takeover_asked": "The owner got a letter and has time to answer.",
    "takeover_stopped": "The group stays with its owner.",
    "taken_over": "The group is yours. Its owner before can take it back.",
    "taken_back_group": "The group is yours again.",
    "draft_kept": "We kept what you wrote. Sign in, and it will be here.",
    "going": "You are going. See you there!",
    "waitlisted": "It is full; you are on the waitlist. When a place becomes free it is held for you.",
    "asked_host": "Asked: the host says yes or no, and you hear of it.",
    "answer_kept": "Kept as it is now.",
    "joining_saved": "Saved. People who have a place keep it.",
    "attendee_added": "Added.",
    "attendee_invited": "Invited: a letter is on its way.",
    "attendee_restored": "Brought back.",
    "checked_in": "Checked in.",
    "check_in_undone": "Not checked in any more.",
    "guest_asked": "We sent a link to that address. Open it to confirm your answer; it works for a day.",
    "interested": "Noted: you are interested.",
    "declined": "Noted: you are not going.",
    "taken_back": "It is being taken back from your server and stays here. Copies elsewhere may remain.",
    "answer_tried": "Your answer is on its way to your server.",
    "choice_kept": "It is as you chose.",
    "accounts_joined": "Joined.",
    "not_joined": "Both stay as they are.",
    "nothing_to_join": "Nothing here belongs to that address.",
    "address_taken": "Saved. You can sign in with that address, too.",
    "profile_saved": "Your profile is saved.",
    "notifications_saved": "Saved. It holds from now on.",
    "token_revoked": "Revoked. It opens nothing any more.",
    "letters_delivered": "Delivered again. What still cannot be applied comes back here.",
    "letters_forgotten": "Forgotten.",
    "records_read_again": "Their repositories, or the events that they are to, are read again. What is taken over leaves this list.",
    "flag_switched": "Switched. Everything that runs acts by it within seconds.",
    "flag_stood_so": "It stood so already.",
    "webhook_on": "It is on.",
    "webhook_off": "It is off, and hears nothing.",
    "webhook_sent": "It is on its way.",
    "webhook_removed": "Removed.",
    "reported": "Your report is sent.",
    "blocked": "Blocked. They cannot answer to you any more, and you do not find each other’s things in lists.",
    "unblocked": "They may answer to you again.",
    "muted": "You hear nothing of it any more. Nobody is told.",
    "unmuted": "You hear of it again.",
    "act_done": "Done, and in the log.",
    "act_undone": "Taken back, and in the log.",
    "arrivals_decided": "Done, each in the log.",
    "policy_saved": "Saved. It holds from now on.",
    "links_revoked": "Links in mails that you have already open nothing any more.",
    "welcome": "Welcome! Others now see you by this name.",
    "publishing_on": "We’re syncing your public events and answers now.",
    "publishing_off": "Your events stay on this site. You can change that under Settings.",
}
_SAID_COOKIE = "openmeet_said"
_SAID_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Viewer:
    """The viewer, for the layout. ``is_at_servers``: they can also sign out at the PDS of their accounts."""

    name: str
    unread: int = 0
    moderates: bool = False
    operates: bool = False
    is_at_servers: bool = False


@cache
def environment(site_name: str, public_url: str) -> jinja2.Environment:
    """The template environment of one site, made once. ``public_url``: where others reach the site."""
    loaders = {folder.parent.name: jinja2.FileSystemLoader(folder) for folder in _WEB.glob("*/templates")}
    loaders["emails"] = jinja2.FileSystemLoader(_WEB.parent / "emails" / "templates")
    made = jinja2.Environment(
        loader=jinja2.PrefixLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"site_name": site_name, "public_url": public_url, "times": formatting, "static": static_url}
    made.globals |= {"subscription": subscribe_links.subscription, "google_hours": subscribe_links.GOOGLE_HOURS}
    made.filters |= {"markdown": html_of, "summary": summary_of}
    return made


def set_viewer(connection: HTTPConnection, viewer: Viewer | None) -> None:
    """Set once per request by ``site.session``."""
    connection.scope["openmeet.viewer"] = viewer


def viewer_of(connection: HTTPConnection) -> Viewer | None:
    """The viewer, or None if nobody is signed in."""
    found: Viewer | None = connection.scope.get("openmeet.viewer")
    return found


def page(
    connection: HTTPConnection,
    template: str,
    context: Mapping[str, object] | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Render a template inside the layout. Pages depend on the viewer, so shared caches may not store them.

    Pages of signed-in viewers are not stored at all: after sign-out, "Back" must not show them.
    """
    what = connection.cookies.get(_SAID_COOKIE, "")
    said = SAID.get(what) or notices.sentence(what)
    frame = {
        "viewer": viewer_of(connection),
        "path": connection.url.path,
        "here": connection.url.path + (f"?{connection.url.query}" if connection.url.query else ""),
        "said": said,
        **(context or {}),
    }
    settings = services(connection).settings
    response = HTMLResponse(
        environment(settings.site_name, settings.public_url).get_template(template).render(frame),
        status,
        {"cache-control": "no-store" if frame["viewer"] else "private, no-cache", **(headers or {})},
    )
    if said:
        response.delete_cookie(_SAID_COOKIE, path="/", httponly=True, samesite="lax")
    return response


def go(path: str, *, said: str = "", numbers: Sequence[int] = ()) -> Response:
    """303 See Other, after every form. ``said``: the flash message, a key of ``SAID``, or with ``numbers`` of
    ``NOTICES``.
    """
    response = RedirectResponse(path, 303)
    if said:
        if numbers:
            said = notices.packed(said, numbers)
        elif said not in SAID:
            raise KeyError(said)
        response.set_cookie(_SAID_COOKIE, said, max_age=_SAID_SECONDS, path="/", httponly=True, samesite="lax")
    return response
