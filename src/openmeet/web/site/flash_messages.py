"""Flash messages. The cookie contains their key and, for those with numbers (``NOTICES``), the numbers. A forged cookie
can change numbers but never the text.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from openmeet.i18n.catalogue import LazyText, gettext, lazy, ngettext

FLASH_MESSAGES: Final[Mapping[str, LazyText]] = {
    "chat_saved": lazy("Saved."),
    "chat_sent": lazy("Sent. Everyone in this chat can read it now."),
    "chat_held": lazy("Sent. A moderator looks at it first."),
    "signed_in": lazy("You’re signed in."),
    "signed_out": lazy("You’re signed out."),
    "signed_out_here": lazy(
        "You’re signed out of this browser. Syncing continues. To stop that, too, sign in and choose “Sign "
        "out here and at your servers”."
    ),
    "signed_out_at_servers": lazy(
        "You’re signed out of this browser and of your servers. Nothing syncs until you sign in there again."
    ),
    "signed_out_everywhere": lazy("You’re signed out, here and everywhere else."),
    "identity_linked": lazy("Your account is connected."),
    "identity_permitted": lazy("You’re signed in there again."),
    "own_written": lazy("Your server has saved it. It’ll show up here in a moment."),
    "own_deleted": lazy("Your server has deleted it. It’ll disappear here in a moment, too."),
    "recovery_key_kept": lazy("Our copy of the recovery key is erased. Yours is the only one we know of."),
    "account_kept": lazy(
        "Welcome back. You keep your account. What was cancelled or handed over while you were away stays that way."
    ),
    "account_deletion_requested": lazy("Your account is hidden and will be deleted. Changed your mind? Sign in again."),
    "identity_taken_over": lazy("It’s yours. Sign in there with your new password, so we can keep syncing for you."),
    "identity_switched": lazy("What you sync goes into that account from now on."),
    "records_moved": lazy("They’re on their way. The old copies stay and link to the new ones."),
    "records_none_moved": lazy("There was nothing to move."),
    "identity_unlinked": lazy("It’s disconnected, and we’re signed out there."),
    "emails_dismissed": lazy("Dismissed. You won’t see these e-mails here again."),
    "event_created": lazy("Your event is live. Share its address."),
    "event_created_private": lazy("Your event is ready. Now invite people."),
    "event_waits": lazy(
        "Your event is saved. Others see it once a moderator of this site has approved it. We’ll let you know."
    ),
    "person_followed": lazy("You follow them and get news about new public events."),
    "person_unfollowed": lazy("You no longer follow them."),
    "search_kept": lazy("Saved. We’ll tell you when something new matches."),
    "search_on": lazy("You’ll get news about new matches from now on."),
    "search_off": lazy("You won’t get any more news about this search."),
    "search_removed": lazy("The search is removed."),
    "made_before": lazy("You already sent this form. Here’s how things are now. Nothing was created twice."),
    "event_held": lazy(
        "Saved as a draft: your server hasn’t answered yet. We’ll keep trying, and you can try again, too."
    ),
    "record_settings_saved": lazy("Saved. We’ll update the copies in your account, too."),
    "record_preferences_saved": lazy("Saved. We’ll update the copies in your account, too."),
    "event_tried": lazy("Your server hasn’t accepted it yet. We’ll keep trying."),
    "event_here_only": lazy("Only people here see it. Other apps don’t get any of it."),
    "event_published": lazy("Your server has saved it."),
    "event_saved": lazy("Saved."),
    "date_saved": lazy("Saved for this date only."),
    "new_link_made": lazy("This page has a new link. The old one has stopped working."),
    "event_saved_full": lazy(
        "Saved. More people are going than there are places now. They keep their places, and nobody moves up "
        "until there’s room."
    ),
    "event_unchanged": lazy("Nothing was changed."),
    "event_cancelled": lazy("The event is cancelled. We’re telling everyone who was going, said maybe or was waiting."),
    "event_cancelled_alone": lazy("The event is cancelled. Nobody had answered, so nobody gets a notification."),
    "event_reinstated": lazy("The event is back on. We’re telling everyone who was going, said maybe or was waiting."),
    "event_deleted": lazy("The event is deleted."),
    "detection_accepted": lazy("This is a series now. Its page shows the next dates."),
    "detection_refused": lazy("They stay single events. You’re not asked again."),
    "detection_undone": lazy("Undone. The suggestion is back."),
    "detection_undone_answered": lazy("Undone. Dates that somebody answered stay."),
    "detection_undone_given_away": lazy("Undone. The part that somebody else hosts now stays theirs."),
    "detection_undone_answered_given_away": lazy(
        "Undone. Dates that somebody answered stay, and the part that somebody else hosts now stays theirs."
    ),
    "series_created": lazy("Your series is live. Here are its next dates."),
    "series_created_unlisted": lazy("Your series is live for everyone who has the link. Here are its next dates."),
    "series_created_private": lazy("Your series is ready. Here are its next dates. Now invite people."),
    "series_waits": lazy(
        "Your series is saved. Others see it once a moderator of this site has approved it. We’ll let you know."
    ),
    "series_saved": lazy("Saved for the whole series."),
    "series_split": lazy("Saved. From that date on, this is a separate series."),
    "series_cancelled": lazy(
        "The series is cancelled. We’re telling everyone who was going, said maybe or was waiting, once."
    ),
    "dates_cancelled": lazy("Cancelled. We’re telling everyone who was going, said maybe or was waiting."),
    "dates_reinstated": lazy("They take place after all."),
    "dates_removed": lazy("Removed. The series skips these dates from now on."),
    "date_added": lazy("The date is added."),
    "series_undone": lazy("Undone. Everything’s back to how it was."),
    "series_agreed": lazy("Agreed. The changes are on their way to other apps."),
    "series_offered": lazy("Offered. It stays yours until they say yes."),
    "event_offered": lazy("Offered. It stays yours until they say yes."),
    "event_taken_over": lazy("The event is yours now. Its former host stays a co-host."),
    "offer_dropped": lazy("The offer has ended."),
    "series_taken_over": lazy("You host this series now."),
    "series_paused": lazy("Paused: no new dates until you resume it. People who answered or follow it are notified."),
    "series_resumed": lazy("The series continues."),
    "series_deleted": lazy("The series is deleted."),
    "people_kept": lazy("They’re on your list. Nobody has been e-mailed."),
    "people_invited": lazy("The e-mail is on its way. Everyone gets it once."),
    "joined": lazy("You’re in."),
    "calendar_added": lazy("Added. Its events are in your calendar now."),
    "calendar_known": lazy("You already have this calendar."),
    "week_saved": lazy("Saved. Weeks in your calendar now start on that day."),
    "calendar_saved": lazy("Saved."),
    "calendar_removed": lazy("The calendar and its events are removed."),
    "calendar_read": lazy("We’ve tried to read the calendar. The result is next to its name."),
    "feed_open": lazy("Here’s your address. Keep it to yourself."),
    "proof_made": lazy("Your proof is ready. Give its link to anyone who should see it."),
    "proof_renewed": lazy("The old link no longer works. Here’s the new one."),
    "proof_withdrawn": lazy("The proof is withdrawn. Its link says so from now on."),
    "feed_renewed": lazy("The old address no longer works. Subscribe to the new one."),
    "feed_closed": lazy("The address no longer works."),
    "followed": lazy("You follow this series."),
    "unfollowed": lazy("You no longer follow it."),
    "co_host_invited": lazy("They’re invited. They’ll be a host once they say yes."),
    "co_host_accepted": lazy("You co-host this event."),
    "co_host_declined": lazy("Got it: you’re not hosting it."),
    "co_host_left": lazy("You no longer host it."),
    "co_host_removed": lazy("They’re not hosting it."),
    "message_sent": lazy("Your message is sent."),
    "message_scheduled": lazy("Your message will be sent at that time."),
    "message_called_off": lazy("The message won’t be sent."),
    "picture_saved": lazy("The picture is saved."),
    "caption_saved": lazy("The caption is saved."),
    "photo_removed": lazy("The photo is removed."),
    "picture_removed": lazy("The picture is removed."),
    "not_going_to_later": lazy("We won’t add new dates for you any more."),
    "not_going_to_any": lazy("You’re not going to any upcoming date now."),
    "follow_silent": lazy("You follow this series, but it’s muted."),
    "draft_saved": lazy("Your draft is saved. Only you see it."),
    "draft_scheduled": lazy("Your draft is saved. It will be published at that time."),
    "record_kept_here": lazy("It stays here. Other apps no longer show it."),
    "event_unpublished": lazy("It’s a draft again. Only its hosts see it."),
    "group_created": lazy("Your group is ready. Say what it’s for, and invite people."),
    "group_saved": lazy("Saved."),
    "group_repository_asked": lazy(
        "The group’s account is being created. What’s public goes there as soon as it’s ready."
    ),
    "membership_shown": lazy("Your membership is on its way to other apps."),
    "membership_hidden": lazy("The copy is removed. Copies that others made may remain."),
    "group_deleted": lazy("The group is deleted. Its events stay with their hosts."),
    "group_joined": lazy("You’re in. Welcome."),
    "group_asked": lazy("You asked to join. We’ll tell you once the organisers decide."),
    "group_left": lazy("You left the group."),
    "group_unasked": lazy("Your request is withdrawn."),
    "group_followed": lazy("You follow this group and get news about new public events."),
    "group_unfollowed": lazy("You no longer follow it."),
    "group_loud": lazy("You’ll get news from this group again."),
    "group_quiet": lazy("You won’t get news from this group any more."),
    "address_chosen": lazy("The group has a new address. The old one still works."),
    "announced": lazy("Announced. Members are notified the way they chose."),
    "announcement_removed": lazy("Removed here. E-mails already sent can’t be recalled."),
    "role_given": lazy("Saved. We’ll let them know."),
    "member_removed": lazy("They’re removed. They can come back."),
    "member_banned": lazy("They’re removed and can’t come back."),
    "ban_lifted": lazy("The ban is lifted. They can come back."),
    "requests_approved": lazy("They’re in. We’ll let them know."),
    "requests_declined": lazy("Declined. We’ll let them know."),
    "requests_gone": lazy("That’s already been decided."),
    "link_made": lazy("Here’s your link. Pass it on."),
    "mails_sent": lazy("The invitations are on their way."),
    "invitation_revoked": lazy("This invitation no longer works."),
    "invitation_declined": lazy("Got it. The group won’t write to you again."),
    "did_followed": lazy("Their public events appear here as soon as we’ve read them."),
    "did_unfollowed": lazy("Their events no longer appear here."),
    "offer_made": lazy("We’re asking them. The group is theirs once they accept."),
    "offer_ended": lazy("The offer has ended."),
    "offer_accepted": lazy("The group is yours."),
    "succession_arranged": lazy("Saved."),
    "takeover_asked": lazy("We e-mailed the owner and are giving them time to answer."),
    "takeover_stopped": lazy("The group stays with its owner."),
    "taken_over": lazy("The group is yours. Its former owner can undo this."),
    "group_reclaimed": lazy("The group is yours again."),
    "draft_kept": lazy("We kept what you wrote. Sign in, and it will be here."),
    "going": lazy("You’re going. See you there."),
    "waitlisted": lazy("It’s full, and you’re on the waitlist. When a place becomes free, we hold it for you."),
    "asked_host": lazy("Request sent. The host decides, and we’ll let you know."),
    "answer_saved": lazy("Saved."),
    "mail_resumed": lazy("You’ll get these e-mails again."),
    "answer_kept": lazy("Nothing was changed."),
    "new_time_works": lazy("You’ve confirmed the new time."),
    "registration_saved": lazy("Saved. People who have a place keep it."),
    "attendee_added": lazy("Added."),
    "attendee_invited": lazy("Invited: an e-mail is on its way."),
    "attendee_restored": lazy("Brought back."),
    "check_in_undone": lazy("Not checked in any more."),
    "interested": lazy("You said maybe."),
    "declined": lazy("Got it: you’re not going."),
    "event_record_withdrawn": lazy(
        "We’re removing the copy from your account. The event stays here. Copies that others made may remain."
    ),
    "answer_record_withdrawn": lazy(
        "We’re removing the copy from your account. Your answer stays here. Copies that others made may remain."
    ),
    "no_record_to_withdraw": lazy("There’s no copy of it in your account."),
    "answer_not_saved": lazy("You’re signed in, but your answer isn’t saved yet. Send it again."),
    "answer_tried": lazy("We’re syncing your answer."),
    "nothing_to_sync": lazy("There’s nothing to sync right now."),
    "choice_kept": lazy("Saved. We use the version you chose."),
    "accounts_joined": lazy("Merged."),
    "not_joined": lazy("Your two accounts stay separate."),
    "nothing_to_join": lazy(
        "There’s nothing to merge for that address. If you expected something, check its spelling."
    ),
    "email_changed": lazy("Saved. From now on, you sign in with this address."),
    "address_of_another_account": lazy(
        "That address belongs to another account. Merge the two first, then change your address."
    ),
    "address_taken": lazy("Saved. You can sign in with that address, too."),
    "suggestions_on": lazy("Suggestions are on."),
    "suggestions_off": lazy("Suggestions are off."),
    "profile_saved": lazy("Your profile is saved."),
    "notifications_saved": lazy("Saved. This applies from now on."),
    "session_ended": lazy("That browser or app is signed out."),
    "token_revoked": lazy("Revoked. It no longer works."),
    "dead_letters_delivered": lazy("Delivered again. What still can’t be applied comes back here."),
    "dead_letters_forgotten": lazy("Deleted."),
    "records_read_again": lazy(
        "We’re reading their accounts, or the events they answer, again. Anything we can read now leaves this list."
    ),
    "flag_switched": lazy("Saved. It takes effect within seconds."),
    "flag_stood_so": lazy("It was already like that."),
    "webhook_on": lazy("The webhook is on."),
    "webhook_off": lazy("The webhook is off. Nothing is sent to it."),
    "webhook_sent": lazy("It’s on its way."),
    "webhook_removed": lazy("Removed."),
    "reported": lazy("Your report is sent."),
    "reported_before": lazy("You\u2019ve already reported this."),
    "blocked": lazy("Blocked. They can’t answer you any more, and you no longer see each other’s events in lists."),
    "unblocked": lazy("They can answer you again."),
    "muted": lazy("You no longer get news about it. Nobody is notified."),
    "unmuted": lazy("You’ll get news about it again."),
    "objected": lazy("Your objection is sent. A moderator will look at it."),
    "act_done": lazy("Done. It’s in the log."),
    "act_undone": lazy("Undone. It’s in the log."),
    "arrivals_decided": lazy("Done. All of it is in the log."),
    "policy_saved": lazy("Saved. This applies from now on."),
    "links_revoked": lazy("Links in e-mails you already have no longer work."),
    "started": lazy("You’re all set. We’ll tell you about new events like these."),
    "welcome": lazy("Welcome. Others now see you by this name."),
    "publishing_on": lazy("We’re syncing your public events and answers now."),
    "publishing_off": lazy("Your events stay on this site. You can change that under Settings."),
}


_LONGEST_NUMBER = 7


def _dates_answered(going: int, dates: int) -> str:
    if not going:
        return gettext("Saved. Below you see which dates you can answer.")
    if going == dates:
        return ngettext("You’re going to the next date.", "You’re going to all of the next %(number)s dates.", dates)
    return ngettext(
        "You’re going to %(going)s of the next %(number)s date.",
        "You’re going to %(going)s of the next %(number)s dates.",
        dates,
        going=going,
    )


def _answers_approved(approved: int, waitlisted: int, restored: int) -> str:
    if restored:
        words = ngettext(
            "%(number)s person is back on the list, as before.",
            "%(number)s people are back on the list, as before.",
            restored,
        )
        return f"{_answers_approved(approved, waitlisted, 0)} {words}" if approved or waitlisted else words
    if approved and waitlisted:
        return gettext(
            "%(approved)s approved, %(waitlisted)s on the waitlist. We’re letting them know.",
            approved=approved,
            waitlisted=waitlisted,
        )
    if approved:
        return gettext("%(approved)s approved. We’re letting them know.", approved=approved)
    if waitlisted:
        return gettext("%(waitlisted)s on the waitlist. We’re letting them know.", waitlisted=waitlisted)
    return gettext("Nobody was waiting for your answer any more.")


def _approvals_undone(undone: int, kept: int) -> str:
    if not undone:
        return gettext("Nothing was undone: they’ve already been told, or have changed their answer.")
    words = ngettext("Undone. %(number)s request is open again.", "Undone. %(number)s requests are open again.", undone)
    if not kept:
        return words
    rest = ngettext(
        "Nothing changed for %(number)s person, who has already been told or has changed their answer.",
        "Nothing changed for %(number)s people, who have already been told or have changed their answers.",
        kept,
    )
    return f"{words} {rest}"


def _places_given(seated: int, first: int) -> str:
    if seated and first:
        return gettext(
            "%(seated)s got a place. No place is free for %(first)s: they’re first on the waitlist now.",
            seated=seated,
            first=first,
        )
    if seated:
        return ngettext("%(number)s person got a place.", "%(number)s people got a place.", seated)
    if first:
        return ngettext(
            "No place is free, so this person is first on the waitlist now. Raise the limit to let them in.",
            "No places are free, so these %(number)s are first on the waitlist now. Raise the limit to let them in.",
            first,
        )
    return gettext("They’re no longer on the waitlist.")


def _answers_rejected(rejected: int) -> str:
    if not rejected:
        return gettext("There was nothing left to decline.")
    return gettext("%(declined)s declined. We’re letting them know.", declined=rejected)


def _new_times_confirmed(dates: int) -> str:
    if not dates:
        return gettext("There was nothing left to confirm.")
    return ngettext("You’ve confirmed the new time.", "You’ve confirmed %(number)s dates at their new time.", dates)


def _photos_added(number: int) -> str:
    return ngettext("%(number)s photo is added.", "%(number)s photos are added.", number)


NOTICES: Final[Mapping[str, tuple[int, Callable[..., str]]]] = {
    "dates_answered": (2, _dates_answered),
    "answers_approved": (3, _answers_approved),
    "approvals_undone": (2, _approvals_undone),
    "answers_rejected": (1, _answers_rejected),
    "places_given": (2, _places_given),
    "new_times_confirmed": (1, _new_times_confirmed),
    "photos_added": (1, _photos_added),
}


def format_notice(name: str, numbers: Sequence[int]) -> str:
    """The cookie's value. Raises KeyError for an unknown name, and ValueError if there are too many or too few numbers."""
    count, _ = NOTICES[name]
    if len(numbers) != count or any(one < 0 for one in numbers):
        raise ValueError(numbers)
    return ".".join([name, *map(str, numbers)])


def notice_text(value: str) -> str:
    """The message for a cookie's value. Empty if the value is invalid."""
    name, *numbers = value.split(".")
    count, words = NOTICES.get(name, (-1, str))
    if len(numbers) != count or not all(
        one.isascii() and one.isdigit() and len(one) <= _LONGEST_NUMBER for one in numbers
    ):
        return ""
    return words(*map(int, numbers))
