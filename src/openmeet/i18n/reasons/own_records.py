"""Messages of the reasons of ``openmeet.network.own_records.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "own_record.cannot_be_changed": mark("This record cannot be changed here: %(problem)s"),
    "own_record.title_needed": mark("Write a name of at most %(most)s characters."),
    "own_record.too_long": mark("Write at most %(most)s characters."),
    "own_record.ends_before_start": mark("The end is before the start. Choose a later end."),
    "own_record.choose_offered": mark("Choose one of the options."),
    "own_record.no_such_record": mark("There is no such record in your repository."),
    "own_record.no_event_record": mark("This event has no record that you could answer."),
    "own_record.not_an_event_address": mark("This is not the address of an event."),
    "own_record.event_address_needed": mark("Paste the event’s address: its page here, or one that begins with at://."),
    "own_record.answers_not_public": mark("Answers to this event are not public: answer it on its page."),
    "own_record.no_such_event": mark("There is no such event in that repository."),
    "own_record.answered_already": mark("You have answered this event already. Change that answer in your list."),
    "own_record.choose_an_answer": mark("Choose an answer."),
    "own_record.changed_since_opened": mark("The record was changed since the form was opened."),
    "own_record.unreadable_for_apps": mark("Other apps could not read this."),
}
