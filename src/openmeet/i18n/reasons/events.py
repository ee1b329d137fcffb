"""Messages for the reasons of events and series, of answers to them, and of their guests and places."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.catalogue import Message, mark, plural

MESSAGES: Final[Mapping[str, Message]] = {
    # reasons of openmeet.domain.events
    "event.cannot_take_over": mark("You can’t take this event over."),
    "event.cannot_host": mark("You can’t host this event."),
    "event.cannot_be_asked": mark("You can’t ask them to host this event."),
    "event.key_reused": mark("You already created a different event with this key. Use a new key for another event."),
    "event.being_created": mark("This event is already being created. Try again."),
    "event.cannot_cancel_draft": mark("Nobody else can see a draft. Delete it instead."),
    "event.dates_conflict": mark(
        "The event would end before it starts. Choose both times from one version, or edit them."
    ),
    "event.changed_since_opened": mark("This event has been changed since you opened it."),
    "event.no_record_elsewhere": mark("No other app has a copy of this event."),
    "event.public_here": mark("The event is public here. First choose who can see it."),
    "event.new_link_of_public": mark("Everyone can find this event. First choose who can see it."),
    "event.invitation_over": mark(
        "This invitation was used or withdrawn, or it’s too old. Ask the person who invited you for a new one."
    ),
    "event.not_in_series": mark("This event isn’t a date of a series."),
    "event.invitee_needed": mark("Enter an e-mail address, or the account name of somebody who has been here."),
    "event.too_many_hosts": mark("An event can have up to %(most)s co-hosts."),
    "event.you_host_already": mark("You already host this event."),
    "event.not_a_host": mark("You don’t host this event."),
    "event.no_such_co_host": mark("They don’t co-host this event."),
    "event.too_many_invitations": mark("You can invite up to %(most)s co-hosts by e-mail a day. Try again tomorrow."),
    "event.hidden_from_co_hosts": mark(
        "Only its hosts can open this event right now, so you can’t ask anyone to host it."
    ),
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
    "event.not_a_draft": mark("This event is already published."),
    "event.title_needed": mark("Give the event a title."),
    "event.title_too_long": mark("A title can have up to %(most)s characters. This one has %(length)s."),
    "event.malformed_link": mark("A link starts with https:// or http://, like https://example.org."),
    "event.too_many_choices": mark("Choose up to %(most)s."),
    "event.unknown_language": mark("We don’t know the language “%(text)s”. Write it like English, Deutsch or fr."),
    "event.too_many_languages": mark("Enter up to %(most)s languages."),
    "event.malformed_point": mark(
        "We couldn’t find a point on the map in this. Enter it like 52.52, 13.405 (latitude first), or paste "
        "a map link with such numbers."
    ),
    "event.not_offered": mark("You don’t have an open offer for this event."),
    "event.date_of_series": mark("It’s a date of a series. Hand the whole series over."),
    "event.cannot_hand_over_draft": mark("Nobody else can see a draft. Publish it first."),
    "event.not_out_yet": mark("It’s still syncing to your account. Hand it over when that’s done."),
    "event.no_offer": mark("The offer has ended."),
    "event.not_in_its_group": mark(
        "You can no longer create events in this group. You can still make a copy outside the group."
    ),
    "event.author_not_in_its_group": mark(
        "The person who started it can no longer create events in this group. Ask them to make a copy outside the group."
    ),
    "event.host_was_blocked": mark("A moderator of this site had blocked your account."),
    "event.host_was_leaving": mark("You had asked us to delete your account."),
    "event.author_could_not_publish": mark("The person who started it couldn’t publish events at that time."),
    "event.hosts_only": mark("Only the hosts of this event can change it."),
    "event.may_not_see": mark("You can’t see all of this event."),
    "event.may_not_cancel": mark("You can’t cancel this event."),
    "event.may_not_decide_answers": mark("You can’t decide about answers to this event."),
    "event.may_not_message": mark("You can’t write to the guests of this event."),
    "event.may_not_publish_draft": mark("You can’t publish this draft."),
    "event.may_not_leave": mark("You can’t step down as a host of this event."),
    "event.may_not_delete": mark("You can’t delete this event."),
    "event.may_not_remove": mark("Only people who can delete this event can choose this."),
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
        "There’s no %(time)s on that day, because the clocks go forward. Choose %(instead)s if you mean the "
        "time right after."
    ),
    "event.ends_before_start": mark("The end is before the start. Choose a later end."),
    "event.lasts_too_long": mark("The event would last more than a year. Check the end."),
    "event.last_day_before_first": mark("The last day is before the first. Choose a later one."),
    "event.too_many_tags": mark("Enter up to %(most)s tags. You entered %(number)s."),
    "event.tag_too_long": mark("A tag can have up to %(most)s characters. “%(tag)s…” is longer."),
    "event.shuffle_out_of_range": mark("Choose a cover from 0 to %(most)s."),
    "event.capacity_out_of_range": mark(
        "The number of places must be a whole number from 1 to %(most)s. Leave it empty for no limit."
    ),
    "event.minutes_out_of_range": mark("Enter a whole number of minutes before the start, at most %(most)s."),
    "event.no_date_yet": mark("This event has no date yet. Once it has one, it can be added to a calendar."),
    "event.invitation_link_over": mark("The invitation was withdrawn, or it’s too old. Ask the host for a new one."),
    "event.start_in_past_send_again": mark("This start is in the past. If that’s right, send allowPast: true."),
    "event.start_in_past_save_again": mark("This start is in the past. If that’s right, choose “%(button)s” again."),
    "event.draft_changed_while_open": mark(
        "This draft was changed after you opened it. What you typed is still here. Fields that differ show the current "
        "version next to them. Save again to use yours."
    ),
    "event.series_not_scheduled": mark("Repeating events can’t be scheduled. Publish it yourself when it’s ready."),
    "event.moment_needed": mark("Choose a time, or publish it now."),
    "event.moment_over": mark("This time is in the past. Publish it now, or choose a later one."),
    "event.moment_after_start": mark("It would start before anyone sees it. Choose an earlier time."),
    "event.draft_changed": mark("This draft has changed. Look at it again, then publish it."),
    "event.moment_out_of_range": mark("Choose a time in the future, before the event starts."),
    "event.group_stays": mark("An event can’t move to another group."),
    "event.unpublish_instead": mark(
        "This event is published already. To turn it back into a draft, send POST /api/events/{slug}/unpublish."
    ),
    "event.nothing_to_correct": mark("A new event has no guests who could be notified."),
    "event.publish_from_form": mark("Open the draft to publish it."),
    "event.decision_needed": mark("Choose one of the answers on the event’s page."),
    "event.picture_needed": mark("Choose the picture, or clear its description."),
    "event.deleted": mark("The host deleted this event."),
    "event.removed_elsewhere": mark("This event was deleted on the server it came from."),
    "event.named_event_deleted": mark("The host deleted “%(title)s”."),
    "event.named_event_removed_elsewhere": mark("“%(title)s” was deleted on the server it came from."),
    "event.removed_after_end": mark("This event is over. The host chose not to keep its page."),
    "event.named_event_removed_after_end": mark("“%(title)s” is over. The host chose not to keep its page."),
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
    "host_message.nobody_to_reach": mark("Nobody would get this message. Choose other people."),
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
    "check_in.no_ticket": mark("You have no ticket for this event, or it doesn’t exist."),
    "check_in.ticket_needed": mark("Give a ticket’s code, or the id of an answer."),
    # reasons of openmeet.domain.places
    "place.streets_not_asked": mark("We can’t look up streets right now. Try a town."),
    "place.not_ready": mark("The list of places is being prepared. Try again in a few seconds."),
    "place.unknown": mark(
        "We couldn’t find a town with this name. Try a larger town nearby, or latitude and longitude like 52.52, 13.40."
    ),
    "place.several": mark("Several places have this name: %(choices)s."),
    "place.which_zone": mark(
        "The place is near the border of %(first)s and %(second)s. Choose the one it’s in, then send the form again."
    ),
    "place.which_town": mark("There’s more than one %(name)s. Choose yours below."),
    "place.no_such_place": mark("There’s no such place in this site’s list."),
    # reasons of openmeet.domain.media
    "media.too_narrow": mark("This picture is too narrow. Send a wider one."),
    "media.too_large": mark("A picture can have up to %(most)s MB."),
    "media.unreadable": mark("We can’t read this picture. Send a JPEG, PNG, WebP or GIF."),
    "media.too_many_pictures": mark("You can add up to %(most)s pictures a day. Try again tomorrow."),
    "media.too_many_pixels": mark("A picture can have up to %(most)s million pixels."),
    "media.no_such_picture": mark("This picture doesn’t exist."),
    "media.alt_needed": mark("Describe the picture for people who can’t see it."),
    "media.upload_expected": mark("Send a form with a file."),
    "media.keeps_no_pictures": mark("This site can’t store pictures right now."),
    "photos.no_such_photo": mark("This photo doesn’t exist."),
    "photos.none_chosen": mark("Choose a photo."),
    "photos.too_many_at_once": mark("You can add up to %(most)s photos at once. Choose fewer, then add the rest."),
    "photos.too_many_of_person": mark("You’ve added %(most)s photos, the most for one event. Remove some first."),
    "photos.too_many_of_event": mark("This event has %(most)s photos, the most it can have."),
    "photos.too_often": mark("That’s a lot of photos. Wait a while, then add more."),
    "photos.cannot_add": mark(
        "Only the hosts and their guests can add photos. Were you there? Ask a host to check you in."
    ),
    "photos.cannot_describe": mark("Only the hosts and their guests can change captions. You can remove your photo."),
    "photos.event_cancelled": mark("The event is cancelled, so it gets no more photos."),
    "photos.removed_before": mark("This photo was removed from the event. You can’t add it again."),
    "photos.not_yours": mark("Somebody else added this photo."),
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
    "search.unknown_source": mark("Choose what was created here, what comes from other apps, or everything."),
    # reasons of openmeet.domain.attendance
    "attendance.event_removed": mark("This event has been removed."),
    "attendance.not_welcome": mark("You can’t answer this event."),
    "attendance.no_such_answer": mark("This answer doesn’t exist."),
    "attendance.date_of_series": mark("A date of a series can’t be a draft. Cancel it, or delete it."),
    "attendance.already_answered": mark(
        "Somebody has already answered. Cancel the event instead, so that they get an e-mail."
    ),
    "attendance.event_cancelled": mark("This event is cancelled."),
    "attendance.you_rejected_it": mark("You’ve declined this answer. Bring it back first."),
    "attendance.changed_since_opened": mark("Somebody else has saved these settings."),
    "attendance.name_needed": mark("Enter the name."),
    "attendance.host_cannot_be_removed": mark(
        "You host this event. If you can’t make it yourself, say you’re not going."
    ),
    "attendance.not_in_series": mark("This event isn’t a date of a series."),
    "attendance.takes_no_answers": mark("This event no longer takes answers."),
    "attendance.seen_by_hosts_only": mark("Only its hosts can open this event right now, so you can’t invite anyone."),
    "attendance.too_many_invitations": mark(
        "You can send up to %(most)s invitations a day for one event. Share its link instead."
    ),
    "attendance.no_group": mark("This event is in no group, so it has no members."),
    "attendance.too_many_questions": mark("Ask up to %(most)s questions."),
    "attendance.too_few_choices": mark("One choice isn’t enough. Give at least two, or none for free text."),
    "attendance.too_many_choices": mark("Give up to %(max_choices)s answers of up to %(max_choice)s characters each."),
    "attendance.question_needed": mark("Write the question for these answers."),
    "attendance.no_choice_of_attendance": mark(
        "This event is either in person or online, so you don’t have to choose."
    ),
    "attendance.names_missing": mark("Enter the names of everyone coming with you."),
    "attendance.too_many_names": mark("There are more names than people. Check how many are coming."),
    "attendance.not_asked": mark("The host didn’t ask this question."),
    "attendance.event_over": mark("This event is over."),
    "attendance.members_only": mark("Only members of its group can come to this event."),
    "attendance.answers_closed": mark("Answers are closed."),
    "attendance.rejected_by_host": mark("The host has declined your answer to this event."),
    "attendance.checked_in": mark(
        "You’re checked in, so you can’t change your answer. Ask a host to undo the check-in."
    ),
    "attendance.no_such_proof": mark("There’s no proof of attendance at this address. Check the link."),
    "attendance.proof_withdrawn": mark("This proof was withdrawn. Ask the person who gave you the link for a new one."),
    "attendance.proof_just_withdrawn": mark("You’ve already withdrawn this proof. Make a new one if you need it."),
    "attendance.proof_not_confirmed": mark("We can no longer confirm this attendance."),
    "attendance.proof_of_private_event": mark(
        "There are no proofs for private events, because we don’t confirm them to others."
    ),
    "attendance.proof_needs_check_in": mark("You can get a proof once a host has checked you in."),
    "attendance.proof_not_yet": mark("You can get a proof once the event has started."),
    "attendance.proof_needs_account": mark("You have no connected account to show. Choose your name."),
    "attendance.proof_account_gone": mark("The account that it shows is no longer connected."),
    "attendance.proof_key_missing": mark(
        "We can’t sign proofs right now. Existing ones are still valid. Try again in an hour."
    ),
    "attendance.event_full": mark("There’s no free place. Raise the limit first."),
    "attendance.one_person_each": mark("At this event everyone answers for themselves."),
    "attendance.party_out_of_range": mark("Come with up to %(most)s people, including yourself."),
    "attendance.fewer_places": plural(
        "There’s only %(places)s place. Come with fewer people.",
        "There are only %(places)s places. Come with fewer people.",
        by="places",
    ),
    "attendance.fewer_places_in_person": plural(
        "There’s only %(places)s place in person. Come with fewer people.",
        "There are only %(places)s places in person. Come with fewer people.",
        by="places",
    ),
    "attendance.fewer_places_online": plural(
        "There’s only %(places)s place online. Come with fewer people.",
        "There are only %(places)s places online. Come with fewer people.",
        by="places",
    ),
    "attendance.place_kept": mark("There aren’t enough free places for that. You keep the place you have."),
    "attendance.offer_kept": mark("There aren’t enough free places for that. We’re still holding what we offered you."),
    "attendance.check_in_needs_date": mark("Check-in opens a day before the start, and this event has no date yet."),
    "attendance.check_in_not_yet": mark("Check-in opens a day before the start: %(opens)s."),
    "attendance.check_in_over": mark("Check-in closed a week after the end: %(closed)s."),
    "attendance.not_answered": mark("You haven’t answered this event, or it doesn’t exist."),
    "attendance.name_or_email_needed": mark("Enter a name or an e-mail address."),
    "attendance.series_needs_email": mark("Only people with an e-mail address can be invited to all dates."),
    "attendance.invited_choose_themselves": mark("People you invite choose this in their answer. Leave it out."),
    "attendance.person_needed": mark("Choose at least one person."),
    "attendance.party_needed": mark("Enter how many people are coming, as a number."),
    "attendance.limit_below_places": mark("%(text)s If that’s right, send it again with %(label)s=true."),
    "attendance.answer_on_page": mark("This date needs more details. Answer on its page."),
    "attendance.limit_below_places_asked": mark("%(text)s If that’s right, save again."),
    "attendance.places_out_of_range": mark("Enter a whole number from 1 to %(most)s, or leave it empty for no limit."),
    "attendance.hours_out_of_range": mark(
        "Enter hours before the start, from 0 to %(most)s, or leave it empty for no deadline."
    ),
    "attendance.max_party_out_of_range": mark("Enter a number from 1 to %(most)s."),
    "attendance.not_hybrid": mark(
        "This event isn’t both in person and online. Limit the places of the event itself instead."
    ),
    "attendance.answer_needed": mark("The host needs an answer to this."),
    "attendance.typed_is_kept": mark(
        "Somebody else saved these settings after you opened this page. What you typed is still here. Save again to "
        "replace theirs."
    ),
    # reasons of openmeet.domain.series
    "series.cannot_take_over": mark("You can’t take this series over."),
    "series.cannot_follow": mark("You can’t follow this series."),
    "series.no_such_series": mark("This series doesn’t exist."),
    "series.no_such_date": mark("This date doesn’t exist."),
    "series.no_such_date_of_series": mark("This series has no such date."),
    "series.key_reused": mark(
        "You already created a different series with this key. Use a new key for another series."
    ),
    "series.makes_no_new_dates": mark("This series gets no new dates for now."),
    "series.no_page_yet": mark(
        "This date gets its page on %(day)s. Dates can be opened at most %(years)s years ahead."
    ),
    "series.changed_since_opened": mark("This series has been changed since you opened it."),
    "series.settings_changed": mark("This has been changed since you opened it. Take another look before you save."),
    "series.cancelled": mark("This series is cancelled. Bring it back before you pause it."),
    "series.not_in_its_group": mark(
        "You can no longer create events in this group. You can still cancel dates or the whole series."
    ),
    "series.may_not_create_event": mark("You can’t create events in this group."),
    "series.host_only": mark("Only the host of this series can change it."),
    "series.host_publishes": mark("Only the host of this series can sync it from their account."),
    "series.host_hands_over": mark("Only the host of a series can hand it over."),
    "series.kept_elsewhere": mark("This series is stored on another server. Change it in the app it came from."),
    "series.last_date_before_first": mark("The last date comes before the first."),
    "series.range_too_long": mark("There are more than %(most)s dates in between. Do it in several steps."),
    "series.date_taken": mark("The series already has a date at that time."),
    "series.date_over": mark("That time is in the past."),
    "series.date_too_far_ahead": mark("A date can be at most %(years)s years ahead."),
    "series.moved_too_far_ahead": mark("A date can be moved at most %(years)s years ahead."),
    "series.not_detected": mark("That series isn’t one of yours."),
    "series.rule_of_all_dates": mark(
        "A repeat rule can’t change for one date only. Choose “This and all following dates” or “All dates”."
    ),
    "series.date_needed": mark("Choose which date to edit."),
    "series.other_group": mark("The series and the event belong to different groups."),
    "series.event_of_other_host": mark("Only the host can do this."),
    "series.event_is_draft": mark("This event is a draft. Publish it first."),
    "series.event_in_series": mark("This event is already a date of a series."),
    "series.event_without_date": mark("This event has no date yet. Give it one first."),
    "series.detected_events_gone": mark("None of these events exist any more."),
    "series.other_host_now": mark("Somebody else hosts this series now. Ask them to hand it back before you undo it."),
    "series.account_needed": mark("Choose one of your accounts."),
    "series.not_your_account": mark("This isn’t one of your accounts."),
    "series.account_for_new_records": mark("New copies go to this account. First choose the other one for new copies."),
    "series.new_link_of_public": mark("Everyone can find this series. First choose who can see it."),
    "series.cannot_offer_to_them": mark("You can’t offer it to this person. Choose somebody from the list."),
    "series.no_such_offer": mark("This offer doesn’t exist."),
    "series.offer_needs_group": mark("It belongs to a group where you can’t create events."),
    "series.no_picture": mark("This series has no picture yet."),
    "series.several_times_a_day": mark("This series meets several times a day. Change its rule instead."),
    "series.only_weekly_moves": mark("Only weekly series can move all dates to another day. Change the rule instead."),
    "series.cannot_announce": mark("Showing only the name and time works for invitation-only events outside a group."),
    "series.nothing_to_undo": mark("There’s nothing to undo. You can undo a change once, within ten minutes."),
    "series.changed_again": mark("The series has been changed again since then. You can only undo the last change."),
    "series.date_changed_since": mark("%(date)s has been changed since. Undoing would lose that."),
    "series.date_answered_since": mark(
        "Somebody has already answered the new date %(date)s. Undoing would lose their answer."
    ),
    "series.date_removed": mark("This date was removed."),
    "series.first_date_too_far_ahead": mark("None of its dates can be saved yet. Choose an earlier start."),
    "series.skipped_time": mark("That time doesn’t exist on that day. Choose %(instead)s."),
    "series.action_needed": mark("Choose what happens to the dates."),
    "series.range_incomplete": mark("Choose the first and the last date of the range."),
    "series.too_many_dates_chosen": mark("With the selected dates, that’s more than %(most)s. Do it in several steps."),
    "series.dates_needed": mark("Choose dates first."),
    "series.changed_while_open": mark(
        "The series was changed after you opened this form. What you typed is still here. Fields that differ show "
        "the current version next to them."
    ),
    "series.rule_needed": mark("A series repeats. To end it, give it a last day, or cancel or delete it."),
    "series.how_often_needed": mark("Choose how often it repeats."),
    "series.event_changed_since_opened": mark("This event has been changed since you opened it. Take another look."),
    "series.event_needed": mark("Choose an event."),
    "series.scope_needed": mark("Choose the dates, or the whole series."),
    "series.fate_of_dates_needed": mark("Choose what happens to the upcoming dates."),
    "series.keep_events_needed": mark("Send true to keep upcoming dates as separate events, or false."),
    "series.date_changed_since_opened": mark("This date has been changed since you opened it."),
    "series.dates_or_range": mark("Choose single dates or a range, not both."),
    "series.range_empty": mark("The series has no dates in this range."),
    "series.dates_out_of_range": mark("Give 1 to %(most)s dates."),
    "series.start_in_past_send_again": mark("This start is in the past. If that’s right, send allowPast: true."),
    "series.person_needed": mark("Choose somebody."),
    "series.unit_needed": mark("Choose days, weeks, months or years."),
    "series.last_day_needed": mark("Choose the day it ends."),
    "series.dates_not_shown": mark("We couldn’t work out the dates just now. Try Preview again in a minute."),
    "series.dates_not_checked": mark("We couldn’t check these dates just now. Try again in a minute."),
    "series.deleted": mark("The host deleted this series. The remaining dates have pages of their own."),
    "series.removed_elsewhere": mark(
        "This series was deleted on the server it came from. The remaining dates have pages of their own."
    ),
}
