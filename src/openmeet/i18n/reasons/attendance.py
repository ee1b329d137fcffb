"""Messages for the reasons in ``openmeet.domain.attendance.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark, plural

MESSAGES: Final[Mapping[str, Message]] = {
    "attendance.event_removed": mark("This event has been removed."),
    "attendance.not_welcome": mark("You can’t answer this event."),
    "attendance.no_such_answer": mark("This answer doesn’t exist."),
    "attendance.date_of_series": mark("A date of a series can’t be a draft. Cancel it, or delete it."),
    "attendance.already_answered": mark(
        "Somebody has answered already. Cancel the event instead, so that they get an e-mail."
    ),
    "attendance.event_cancelled": mark("This event is cancelled."),
    "attendance.answer_rejected": mark("You’ve declined this answer. Bring it back first."),
    "attendance.changed_since_opened": mark("Somebody else has saved these settings."),
    "attendance.name_needed": mark("Enter the name."),
    "attendance.host_cannot_be_removed": mark(
        "You host this event. If you can’t make it yourself, say you’re not going."
    ),
    "attendance.not_a_date": mark("This event isn’t a date of a series."),
    "attendance.takes_no_answers": mark("This event no longer takes answers."),
    "attendance.too_many_invitations": mark(
        "You can send up to %(most)s invitations a day for one event. Share its link instead."
    ),
    "attendance.no_group": mark("This event is in no group, so it has no members."),
    "attendance.too_many_questions": mark("At most %(most)s questions."),
    "attendance.too_few_choices": mark("One choice isn’t enough. Give at least two, or none for free text."),
    "attendance.too_many_choices": mark("At most %(max_choices)s answers of %(max_choice)s characters each."),
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
    "attendance.declined_by_host": mark("The host has declined your answer to this event."),
    "attendance.checked_in": mark("You’re checked in at this event."),
    "attendance.event_full": mark("There is no free place. Raise the limit first."),
    "attendance.one_person_each": mark("At this event everyone answers for themselves."),
    "attendance.party_out_of_range": mark("Come with up to %(most)s people, including yourself."),
    "attendance.fewer_places": plural(
        "There is %(places)s place: come with fewer people.",
        "There are %(places)s places: come with fewer people.",
        by="places",
    ),
    "attendance.fewer_places_in_person": plural(
        "There is %(places)s place in person: come with fewer people.",
        "There are %(places)s places in person: come with fewer people.",
        by="places",
    ),
    "attendance.fewer_places_online": plural(
        "There is %(places)s place online: come with fewer people.",
        "There are %(places)s places online: come with fewer people.",
        by="places",
    ),
    "attendance.place_kept": mark("There aren’t enough free places for that. You keep the place you have."),
    "attendance.offer_kept": mark("There aren’t enough free places for that. We’re still holding what we offered you."),
    "attendance.check_in_needs_date": mark("Check-in opens a day before the start, and this event has no date yet."),
    "attendance.check_in_not_yet": mark("Check-in opens a day before the start: %(opens)s."),
    "attendance.check_in_over": mark("Check-in closed a week after the end: %(closed)s."),
    "attendance.not_answered": mark("You haven’t answered an event like that."),
    "attendance.name_or_email_needed": mark("Give a name or an e-mail address."),
    "attendance.person_needed": mark("Choose who to remove."),
    "attendance.party_needed": mark("Enter how many people are coming, as a number."),
    "attendance.limit_below_places": mark("%(text)s Send it again with %(label)s=true if that is right."),
    "attendance.answer_on_page": mark("The host has questions. Answer them on the page of this date."),
    "attendance.limit_below_places_asked": mark("%(text)s Save again if that is right."),
    "attendance.places_out_of_range": mark("Enter a whole number from 1 to %(most)s, or leave it empty for no limit."),
    "attendance.hours_out_of_range": mark(
        "Enter hours before the start, from 0 to %(most)s, or leave it empty for no deadline."
    ),
    "attendance.max_party_out_of_range": mark("Enter a number from 1 to %(most)s."),
    "attendance.held_one_way": mark(
        "This event isn’t both in person and online. Limit the places of the event itself instead."
    ),
    "attendance.answer_needed": mark("The host needs an answer to this."),
    "attendance.typed_is_kept": mark(
        "Somebody else saved these settings after you opened this page. What you typed is still here. Save again to "
        "replace theirs."
    ),
}
