"""Messages of the reasons of ``openmeet.domain.events.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "event.cannot_take_over": mark("You can’t take this event over."),
    "event.cannot_host": mark("You can’t host this event."),
    "event.cannot_be_asked": mark("They can’t be asked to host this event."),
    "event.no_such_event": mark("There is no such event."),
    "event.key_reused": mark("This key has already created a different event. Use a new key for another event."),
    "event.being_created": mark("This event is already being created. Try again."),
    "event.cannot_cancel_draft": mark("Nobody else can see a draft. Delete it instead."),
    "event.dates_conflict": mark("The event would end before it starts. Decide about the other date, or edit both."),
    "event.changed_since_opened": mark("This event was changed since you opened it."),
    "event.no_record_elsewhere": mark("There is no record of this event that was written elsewhere."),
    "event.public_here": mark("The event is public here. Choose who may see it first."),
    "event.new_link_of_public": mark("Everyone can find this event. Choose who sees it first."),
    "event.invitation_over": mark("This invitation does not work any more."),
    "event.not_a_date": mark("This event is not a date of a series."),
    "event.invitee_needed": mark("Enter an e-mail address, or the account name of somebody who has been here."),
    "event.too_many_hosts": mark("An event has at most %(most)s co-hosts."),
    "event.you_host_already": mark("You host this event already."),
    "event.not_a_host": mark("You do not host this event."),
    "event.no_such_co_host": mark("This event has no such co-host."),
    "event.too_many_invitations": mark("At most %(most)s invitations by e-mail a day."),
    "event.unknown_handle": mark("Nobody with this account name has signed in here yet. Invite them by e-mail."),
    "event.they_host_already": mark("They host this event already."),
    "event.declined_to_host": mark("They said no. Talk to them, and invite them by e-mail if they changed their mind."),
    "event.invitation_to_other_address": mark(
        "This invitation went to another address than yours. Sign in with the one that the e-mail went to."
    ),
    "event.record_not_deleted": mark("No other app has deleted this event from your account."),
    "event.form_used": mark("This form has already created an event."),
    "event.start_in_past": mark("Its start is in the past."),
    "event.not_published": mark("We couldn’t publish it on time. %(reason)s"),
    "event.not_a_draft": mark("This event is published already."),
    "event.text_too_long": mark("At most %(most)s characters."),
    "event.text_of_length_too_long": mark("At most %(most)s characters. This has %(length)s."),
    "event.title_needed": mark("Give the event a title."),
    "event.title_too_long": mark("A title has at most %(most)s characters. This one has %(length)s."),
    "event.description_too_long": mark("A description has at most %(most)s characters."),
    "event.malformed_link": mark("A link starts with https:// or http:// and names a host."),
    "event.too_many_choices": mark("At most %(most)s."),
    "event.unknown_language": mark("We don’t know the language “%(text)s”. Write it like English, Deutsch or fr."),
    "event.too_many_languages": mark("At most %(most)s languages."),
    "event.malformed_point": mark(
        "We couldn’t find a point on the map in this. Write it like 52.52, 13.405 (latitude first), or paste a link from a map that has such numbers in it."
    ),
    "event.not_offered": mark("This event is not offered to you, or not any more."),
    "event.date_of_series": mark("It is a date of a series. Hand the whole series over."),
    "event.cannot_hand_over_draft": mark("Nobody else can see a draft. Publish it first."),
    "event.not_out_yet": mark("It’s still syncing to your account. Hand it over when that’s done."),
    "event.no_offer": mark("There is no offer any more."),
    "event.not_in_its_group": mark(
        "You can no longer create events in this group. You can still make a copy outside the group."
    ),
    "event.hosts_only": mark("Only those who host this event can change it."),
    "event.may_not_see": mark("You can’t see all of this event."),
    "event.may_not_cancel": mark("You can’t cancel this event."),
    "event.may_not_decide_answers": mark("You can’t decide about answers to this event."),
    "event.may_not_message": mark("You can’t write to the guests of this event."),
    "event.may_not_publish_draft": mark("You can’t publish this draft."),
    "event.may_not_leave": mark("You can’t leave the hosts of this event."),
    "event.may_not_delete": mark("You can’t delete this event."),
    "event.may_not_choose_hosts": mark("You can’t choose who hosts this event."),
    "event.may_not_hand_over": mark("You can’t hand this event over."),
    "event.may_not_publish_record": mark("You can’t publish this event from its author’s account."),
    "event.no_picture": mark("This event has no picture yet."),
    "event.unknown_country": mark("We don’t know this country. Choose one from the list, or leave it empty."),
    "event.start_needed": mark("Say when it starts."),
    "event.zone_needed": mark("Say in which time zone these times are."),
    "event.unknown_zone": mark("We don’t know this time zone. Use a name like Europe/Berlin."),
    "event.kept_elsewhere": mark("This event is stored elsewhere. Change it there."),
    "event.removed": mark("This event has been removed."),
    "event.skipped_time": mark(
        "There is no %(time)s on that day, because the clocks go forward. Write %(instead)s if you mean the time right after."
    ),
    "event.ends_before_start": mark("The event ends before it starts."),
    "event.lasts_too_long": mark("The event would take more than a year; check the end."),
    "event.last_day_before_first": mark("The last day is before the first."),
    "event.too_many_tags": mark("At most %(most)s tags. These are %(number)s."),
    "event.tag_too_long": mark("A tag has at most %(most)s characters. “%(tag)s…” is longer."),
    "event.shuffle_out_of_range": mark("Choose a cover from 0 to %(most)s."),
    "event.capacity_out_of_range": mark(
        "The number of places is a whole number from 1 to %(most)s. Leave it empty for no limit."
    ),
    "event.minutes_out_of_range": mark("A whole number of minutes before the start, at most %(most)s."),
    "event.no_date_yet": mark("This event has no date yet. Once it has one, it can be added to a calendar."),
    "event.invitation_link_over": mark("The invitation was withdrawn, or it’s too old. Ask the host for a new one."),
    "event.start_in_past_send_again": mark("This start is in the past. Send allowPast: true if that is right."),
    "event.start_in_past_save_again": mark("This start is in the past. Save again if that is right."),
    "event.draft_changed_while_open": mark(
        "This draft was changed after you opened it. What you typed is still here. Save again to use your version."
    ),
    "event.series_not_scheduled": mark("Repeated changes are published by hand."),
    "event.moment_needed": mark("Say when, or publish it now."),
    "event.moment_over": mark("This time is in the past. Publish it now, or choose a later one."),
    "event.moment_after_start": mark("It would start before anybody sees it. Choose an earlier time."),
    "event.draft_changed": mark("This draft has changed. Look at it again, then publish it."),
    "event.moment_out_of_range": mark("Choose a time in the future, before the event starts."),
    "event.malformed_instant": mark("Write an instant like 2027-03-02T17:00:00Z."),
    "event.group_stays": mark("An event can’t move to another group."),
    "event.publish_from_form": mark("Open the draft to publish it."),
    "event.decision_needed": mark("Choose one of the answers on the event’s page."),
    "event.nothing_here": mark("There is nothing at this address."),
    "event.unstorable_character": mark("The form contains a character that we can’t store."),
    "event.picture_needed": mark("Choose the picture, or clear its description."),
    "event.deleted": mark("This event was removed. Its host deleted it."),
    "event.removed_elsewhere": mark("This event was removed. It was removed from the server where it was kept."),
    "event.named_event_deleted": mark("“%(title)s” was removed. Its host deleted it."),
    "event.named_event_removed_elsewhere": mark(
        "“%(title)s” was removed. It was removed from the server where it was kept."
    ),
}
