"""Messages for the reasons of events, their guests and their places."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    # reasons of openmeet.domain.events
    "event.cannot_take_over": mark("You can’t take this event over."),
    "event.cannot_host": mark("You can’t host this event."),
    "event.cannot_be_asked": mark("You can’t ask them to host this event."),
    "event.key_reused": mark("You already created a different event with this key. Use a new key for another event."),
    "event.being_created": mark("This event is already being created. Try again."),
    "event.cannot_cancel_draft": mark("Nobody else can see a draft. Delete it instead."),
    "event.dates_conflict": mark("The event would end before it starts. Choose the other time, too, or edit both."),
    "event.changed_since_opened": mark("This event has been changed since you opened it."),
    "event.no_record_elsewhere": mark("No other app has a copy of this event."),
    "event.public_here": mark("The event is public here. Choose who can see it first."),
    "event.new_link_of_public": mark("Everyone can find this event. Choose who sees it first."),
    "event.invitation_over": mark("This invitation no longer works."),
    "event.not_a_date": mark("This event isn’t a date of a series."),
    "event.invitee_needed": mark("Enter an e-mail address, or the account name of somebody who has been here."),
    "event.too_many_hosts": mark("An event can have up to %(most)s co-hosts."),
    "event.you_host_already": mark("You already host this event."),
    "event.not_a_host": mark("You don’t host this event."),
    "event.no_such_co_host": mark("They don’t co-host this event."),
    "event.too_many_invitations": mark("At most %(most)s invitations by e-mail a day."),
    "event.unknown_handle": mark("Nobody with this account name has signed in here yet. Invite them by e-mail."),
    "event.they_host_already": mark("They already host this event."),
    "event.declined_to_host": mark("They said no. Talk to them, and invite them by e-mail if they changed their mind."),
    "event.invitation_to_other_address": mark(
        "This invitation went to a different address. Sign in with the address that got the e-mail."
    ),
    "event.record_not_deleted": mark("No other app has deleted this event from your account."),
    "event.form_used": mark("You already created an event with this form."),
    "event.start_in_past": mark("Its start is in the past."),
    "event.not_published": mark("We couldn’t publish it on time. %(reason)s"),
    "event.not_a_draft": mark("This event is published already."),
    "event.title_needed": mark("Give the event a title."),
    "event.title_too_long": mark("A title can have up to %(most)s characters. This one has %(length)s."),
    "event.malformed_link": mark("A link starts with https:// or http:// and names a host."),
    "event.too_many_choices": mark("At most %(most)s."),
    "event.unknown_language": mark("We don’t know the language “%(text)s”. Write it like English, Deutsch or fr."),
    "event.too_many_languages": mark("At most %(most)s languages."),
    "event.malformed_point": mark(
        "We couldn’t find a point on the map in this. Write it like 52.52, 13.405 (latitude first), or paste a map link that has numbers like that in it."
    ),
    "event.not_offered": mark("You don’t have an open offer for this event."),
    "event.date_of_series": mark("It’s a date of a series. Hand the whole series over."),
    "event.cannot_hand_over_draft": mark("Nobody else can see a draft. Publish it first."),
    "event.not_out_yet": mark("It’s still syncing to your account. Hand it over when that’s done."),
    "event.no_offer": mark("The offer has ended."),
    "event.not_in_its_group": mark(
        "You can no longer create events in this group. You can still make a copy outside the group."
    ),
    "event.hosts_only": mark("Only the hosts of this event can change it."),
    "event.may_not_see": mark("You can’t see all of this event."),
    "event.may_not_cancel": mark("You can’t cancel this event."),
    "event.may_not_decide_answers": mark("You can’t decide about answers to this event."),
    "event.may_not_message": mark("You can’t write to the guests of this event."),
    "event.may_not_publish_draft": mark("You can’t publish this draft."),
    "event.may_not_leave": mark("You can’t step down as a host of this event."),
    "event.may_not_delete": mark("You can’t delete this event."),
    "event.may_not_choose_hosts": mark("You can’t choose who hosts this event."),
    "event.may_not_hand_over": mark("You can’t hand this event over."),
    "event.may_not_publish_record": mark("You can’t sync this event from its author’s account."),
    "event.no_picture": mark("This event has no picture yet."),
    "event.unknown_country": mark("We don’t know this country. Choose one from the list, or leave it empty."),
    "event.start_needed": mark("Choose when it starts."),
    "event.zone_needed": mark("Choose the time zone for these times."),
    "event.unknown_zone": mark("We don’t know this time zone. Use a name like Europe/Berlin."),
    "event.kept_elsewhere": mark("This event is stored on another server. Change it in the app it came from."),
    "event.removed": mark("This event has been removed."),
    "event.skipped_time": mark(
        "There is no %(time)s on that day, because the clocks go forward. Write %(instead)s if you mean the time right after."
    ),
    "event.ends_before_start": mark("The end is before the start. Choose a later end."),
    "event.lasts_too_long": mark("The event would last more than a year. Check the end."),
    "event.last_day_before_first": mark("The last day is before the first. Choose a later one."),
    "event.too_many_tags": mark("At most %(most)s tags. These are %(number)s."),
    "event.tag_too_long": mark("A tag can have up to %(most)s characters. “%(tag)s…” is longer."),
    "event.shuffle_out_of_range": mark("Choose a cover from 0 to %(most)s."),
    "event.capacity_out_of_range": mark(
        "The number of places must be a whole number from 1 to %(most)s. Leave it empty for no limit."
    ),
    "event.minutes_out_of_range": mark("Enter a whole number of minutes before the start, at most %(most)s."),
    "event.no_date_yet": mark("This event has no date yet. Once it has one, it can be added to a calendar."),
    "event.invitation_link_over": mark("The invitation was withdrawn, or it’s too old. Ask the host for a new one."),
    "event.start_in_past_send_again": mark("This start is in the past. Send allowPast: true if that is right."),
    "event.start_in_past_save_again": mark("This start is in the past. If that’s right, choose “%(button)s” again."),
    "event.draft_changed_while_open": mark(
        "This draft was changed after you opened it. What you typed is still here. Save again to use your version."
    ),
    "event.series_not_scheduled": mark("Repeating events can’t be scheduled. Publish it yourself when it’s ready."),
    "event.moment_needed": mark("Choose a time, or publish it now."),
    "event.moment_over": mark("This time is in the past. Publish it now, or choose a later one."),
    "event.moment_after_start": mark("It would start before anybody sees it. Choose an earlier time."),
    "event.draft_changed": mark("This draft has changed. Look at it again, then publish it."),
    "event.moment_out_of_range": mark("Choose a time in the future, before the event starts."),
    "event.group_stays": mark("An event can’t move to another group."),
    "event.publish_from_form": mark("Open the draft to publish it."),
    "event.decision_needed": mark("Choose one of the answers on the event’s page."),
    "event.picture_needed": mark("Choose the picture, or clear its description."),
    "event.deleted": mark("The host deleted this event."),
    "event.removed_elsewhere": mark("This event was deleted on the server it came from."),
    "event.named_event_deleted": mark("The host deleted “%(title)s”."),
    "event.named_event_removed_elsewhere": mark("“%(title)s” was deleted on the server it came from."),
    # reasons of openmeet.domain.guest_rsvps
    "guest_rsvp.no_guests": mark("You need an account to answer this event."),
    "guest_rsvp.too_many_emails": mark(
        "We’ve already sent several e-mails to this address. Open the newest, or try again later."
    ),
    "guest_rsvp.link_over": mark("This link no longer works. Answer again on the event’s page."),
    # reasons of openmeet.domain.host_messages
    "host_message.text_needed": mark("Write something."),
    "host_message.moment_over": mark("This time is in the past. Send it now, or choose a later one."),
    "host_message.not_published": mark("Nobody else can see this event yet, so there’s nobody to write to."),
    "host_message.too_many_messages": mark("You can send up to %(most)s messages a day for one event."),
    "host_message.nobody_to_reach": mark("Nobody would get this message."),
    "host_message.no_such_message": mark("This message isn’t part of this event."),
    "host_message.already_sent": mark("It’s already been sent."),
    "host_message.audience_needed": mark("Choose who gets it."),
    "host_message.moment_too_far": mark("Choose a time within a year."),
    "host_message.already_written": mark(
        "You already sent a message with this form, shown below. Send it again to send a second one."
    ),
    # reasons of openmeet.domain.check_in
    "check_in.wrong_ticket": mark("This isn’t a ticket for this event."),
    "check_in.malformed_code": mark("A ticket’s code has twelve letters and digits, like 7KQM-4T2P-9XAB."),
    "check_in.no_ticket": mark("You have no ticket for an event like that."),
    "check_in.ticket_needed": mark("Give a ticket’s code, or the id of an answer."),
    # reasons of openmeet.domain.places
    "place.streets_not_asked": mark("We can’t look up streets right now. Try a town."),
    "place.not_ready": mark("The list of places is being prepared. Try again in a few seconds."),
    "place.unknown": mark(
        "We couldn’t find a town with this name. Try a larger town nearby, or latitude and longitude like 52.52, 13.40."
    ),
    "place.several": mark("Several places have this name: %(choices)s."),
    "place.no_such_place": mark("This place number doesn’t exist."),
    # reasons of openmeet.domain.media
    "media.too_narrow": mark("This picture is too narrow. Send a wider one."),
    "media.too_large": mark("A picture can have up to %(most)s MB."),
    "media.unreadable": mark("We can’t read this picture. Send a JPEG, PNG, WebP or GIF."),
    "media.too_many_pictures": mark("At most %(most)s pictures a day."),
    "media.too_many_pixels": mark("A picture can have up to %(most)s million pixels."),
    "media.no_such_picture": mark("This picture doesn’t exist."),
    "media.alt_needed": mark("Describe the picture for people who can’t see it."),
    "media.upload_expected": mark("Send a form with a file."),
    "media.keeps_no_pictures": mark("This site can’t store pictures right now."),
    "media.too_many_cards": mark("We’re drawing too many pictures right now. Try again in a few seconds."),
    # reasons of openmeet.domain.search
    "search.last_day_before_first": mark("This day is before the first one."),
    "search.malformed_tag": mark("A tag needs letters or digits."),
    "search.tag_too_long": mark("A tag can have up to %(most)s characters."),
    "search.unknown_language": mark("Enter the language like English, Deutsch or fr."),
    "search.distance_out_of_range": mark("Enter a whole number of kilometres from 1 to %(most)s."),
    "search.malformed_point": mark("Enter latitude and longitude in degrees, like 52.52, 13.40."),
    "search.unknown_groups": mark("Choose one of: mine."),
    "search.sign_in_for_groups": mark("Sign in to search in your groups."),
    "search.malformed_day": mark("Enter the day like 2026-07-04."),
}
