"""Messages of the reasons of ``openmeet.domain.identities.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "identity.not_your_account": mark("This account isn’t yours here."),
    "identity.kept_here": mark("We keep this repository for you. Stop publishing instead, or take it over."),
    "identity.recovery_key_waits": mark("Its recovery key is still here and would be lost. Save it first."),
    "identity.last_way_in": mark(
        "It’s the only way you have to sign in here. Join an e-mail address to this account first."
    ),
    "identity.account_of_another_person": mark("This account belongs to somebody else here."),
    "identity.cannot_delete_account": mark(
        "The server of this account takes no orders from this site: its operator has to delete the account there."
    ),
    "identity.may_still_be_made": mark(
        "The account server may still be making this account. We look again in 20 minutes."
    ),
    "identity.server_was_away": mark("The server of this account didn’t answer for days."),
    "identity.changed_since_opened": mark("These settings were changed since you opened them."),
}
