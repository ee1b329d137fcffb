"""Messages of the reasons of ``openmeet.domain.moderation.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "moderation.decided_meanwhile": mark("Somebody else decided about this a moment ago. Look again."),
    "moderation.nothing_reported": mark("Nothing is reported about it any more."),
    "moderation.no_such_action": mark("There is no such operation."),
    "moderation.already_undone": mark("This was undone already."),
    "moderation.decided_since": mark("Somebody has decided about this since. Look at it again and decide."),
    "moderation.changed_since": mark("It was changed again since. Change it by hand."),
    "moderation.reason_needed": mark("Choose what is wrong with it."),
    "moderation.nothing_to_change": mark("There is nothing to do: it’s like that already."),
    "moderation.text_needed": mark("Say in a few words what is wrong."),
    "moderation.explanation_needed": mark("Say why. Its owner reads it."),
    "moderation.reason_too_long": mark("At most %(most)s characters."),
    "moderation.malformed_pds": mark("Write the address of a PDS, like https://pds.example."),
    "moderation.not_mutable": mark("People and groups can be muted."),
    "moderation.changed_since_opened": mark("This was changed since you opened it. Read it again, then change it."),
    "moderation.moderators_only": mark("This is for the moderators of this site."),
    "moderation.text_too_long": mark("At most %(most)s characters."),
    "moderation.no_such_subject": mark("There is no such item."),
    "moderation.invalid_cursor": mark("This cursor wasn’t made here."),
    "moderation.malformed_subject": mark(
        "Write a DID, like did:plc:…, or the address of a PDS, like https://pds.example."
    ),
    "moderation.nothing_here": mark("There is nothing at this address."),
    "moderation.number_out_of_range": mark("Enter a whole number from %(least)s to %(most)s."),
}
