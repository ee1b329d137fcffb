"""Messages of the reasons of ``openmeet.domain.imports.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "import.no_event_described": mark("This page does not describe an event in a way that programs can read."),
    "import.unknown_zone": mark("Write a time zone like Europe/Berlin."),
    "import.no_such_import": mark("There is no such import any more."),
    "import.list_too_large": mark("A list can have %(most)s MB. This one has %(length)s."),
    "import.not_a_list": mark("This is not a list of people: its first line should name the columns."),
    "import.message_too_long": mark("At most %(most)s characters. This has %(length)s."),
    "import.nobody_to_invite": mark("Nobody on the list is waiting for an invitation."),
    "import.too_many_people": mark("One invitation goes to at most %(most)s people."),
    "import.list_changed": mark("There are %(length)s people to invite now, not %(expected)s. Look again."),
    "import.invitation_over": mark("This invitation no longer works."),
    "import.invitation_used": mark("This invitation has been used already."),
    "import.target_gone": mark("What you were invited to no longer exists."),
    "import.group_gone": mark("This group is not there any more."),
    "import.event_gone": mark("This event is not there any more."),
    "import.declined_by_host": mark("The host has decided otherwise."),
    "import.columns_changed": mark("Somebody has chosen other columns for this list. Look at it again."),
    "import.no_such_event": mark("There is no such event any more."),
    "import.no_such_series": mark("There is no such series any more."),
    "import.problems": mark("%(problems)s"),
    "import.source_needed": mark("Send one of ics, url and csv."),
    "import.target_of_people": mark("A list of people belongs to one event or one group; a list of events to neither."),
    "import.no_people": mark("This import brings no people."),
    "import.file_needed": mark("Choose a file, or give an address."),
    "import.no_such_list": mark("There is no such list."),
    "import.upload_expected": mark("Send a form with a file."),
    "import.unstorable_character": mark("The form contains a character that we can’t store."),
    "import.left_out": mark("%(title)s: %(problem)s"),
    "import.left_out_untitled": mark("An event without a title: %(problem)s"),
    "import.looks_like_yours": mark("you have one that looks like it. Choose it to have both."),
    "import.looks_like_earlier": mark("the file has one before it that looks like it. Choose it to have both."),
}
