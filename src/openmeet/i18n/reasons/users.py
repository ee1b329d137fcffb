"""Messages of the reasons of ``openmeet.domain.users.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "user.bio_too_long": mark("At most %(most)s characters."),
    "user.unknown_zone": mark("Choose a time zone from the list."),
    "user.unknown_language": mark("Choose a language from the list."),
    "user.changed_since_opened": mark("Your profile was changed since you read it. Read it again, then change it."),
    "user.name_needed": mark("Enter the name that others see."),
    "user.name_too_long": mark("A name has at most %(most)s characters."),
    "user.email_in_use": mark("This address is being signed up right now. Try again in a moment."),
    "user.names_nobody": mark("This names nobody in particular. Give an e-mail address, a handle or a DID."),
    "user.no_such_person": mark("There is no such person."),
    "user.guest_email_in_use": mark("This address is being saved right now. Try again in a moment."),
    "user.notice_needed": mark(
        "A yes repeats the notice. Show the person the record, the handle and the notice first, then send the notice back."
    ),
    "user.version_needed": mark("A yes answers what was shown: send the ETag of the consent that you read."),
    "user.choice_changed_since_read": mark("Your choice was changed since you read it. Read it again, then answer."),
    "user.publishes_nothing": mark("This site publishes nothing at the moment. Try again later."),
    "user.no_recovery_key": mark("No recovery key waits for you here."),
    "user.not_your_account": mark("This account isn’t yours here."),
    "user.account_needed": mark("Choose one of your accounts."),
    "user.no_account_kept": mark("We don’t keep an account for you."),
    "user.no_such_account": mark("There’s no such account here."),
    "user.being_deleted": mark("This account is being deleted. You can sign up again in a few minutes."),
    "user.wrong_confirmation": mark(
        "That’s not the e-mail address or account name of this account. Check the spelling."
    ),
    "user.proof_expired": mark("You signed in a while ago. Sign in again, then delete your account within 10 minutes."),
    "user.sign_in_to_delete": mark("An API token can’t delete an account. Sign in first."),
    "user.app_password_is_no_proof": mark(
        "An app password can’t delete an account. Sign in with a code by e-mail, at your account server, or with your"
        " account’s own password."
    ),
    "user.silent_sign_in_is_no_proof": mark(
        "Your account server may have let you in without asking for your password. Sign in again, then delete your account"
        " within 10 minutes."
    ),
    "user.app_password_adds_nothing": mark(
        "You signed in with an app password. To add another way to sign in, first sign in with a code by e-mail, at your"
        " account server, or with your account’s own password."
    ),
    "user.nothing_lost": mark("%(problem)s Nothing is lost. Try again in a while."),
}
