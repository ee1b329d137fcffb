"""Messages of the reasons of ``openmeet.network.repositories.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "repository.not_connected": mark("Connect your Bluesky account, or another account, first."),
    "repository.account_inactive": mark("This account isn’t active at its account server. Check it there."),
    "repository.site_not_trusted": mark("Other servers can’t trust this site’s address. Sign in another way."),
    "repository.other_server_answered": mark("The answer came from a different server than the one we asked."),
    "repository.not_allowed_by_you": mark("You didn’t allow it, so nothing changed."),
    "repository.server_refused": mark("Your account server didn’t let us in."),
    "repository.no_server_address": mark("You can’t sign in at this address. Check its spelling."),
    "repository.no_sign_in_server": mark("There’s no account server at this address that apps can sign in with."),
    "repository.no_account_server": mark("This account names no account server."),
    "repository.account_server_not_public": mark("We can’t reach the account server of this account."),
    "repository.account_closed": mark("This account has been closed."),
    "repository.no_such_account": mark("There is no account %(did)s."),
    "repository.no_such_handle": mark(
        "We found nobody called %(handle)s. Check the spelling. A server’s address starts with https://."
    ),
    "repository.sign_in_unknown": mark("We don’t know this sign-in, or it’s already finished. Start again."),
    "repository.sign_in_other_browser": mark("You started this sign-in in another browser. Start again here."),
    "repository.sign_in_expired": mark("This took more than ten minutes. Start again."),
    "repository.other_account_signed_in": mark(
        "You signed in there with a different account than the one you entered here."
    ),
    "repository.account_not_found": mark("That server named an account that doesn’t exist."),
    "repository.account_elsewhere": mark("That server named an account that is on another server."),
    "repository.handle_of_another": mark("Somebody else is already called %(handle)s. Choose another name."),
    "repository.not_a_handle": mark("This can’t be a name. Use letters, digits and hyphens."),
    "repository.handle_length": mark("A name here has 3 to %(most)s letters, digits or hyphens before %(domain)s."),
    "repository.handle_taken": mark("The name %(handle)s is taken or not allowed. Choose another one."),
    "repository.no_invite_code": mark("The account server sent no invite code."),
    "repository.no_handle_domain": mark("The account server offers no domain for names."),
    "repository.no_account_made": mark("The account server’s answer names no account."),
    "repository.password_length": mark("Choose a password of %(least)s to %(most)s characters."),
    "repository.passwords_differ": mark("The two passwords are different. Type the same one twice."),
    "repository.nothing_kept": mark("We don’t keep an account for you."),
    "repository.email_needed": mark("Add an e-mail address to your account here first. Your account server needs one."),
    "repository.no_orders": mark("This site can’t change your account at its server. Ask the server’s operator."),
    "repository.bad_proof": mark("The proof of %(path)s in the repository of %(did)s is wrong."),
    "repository.bad_repository": mark("The repository of %(did)s is malformed or its signature is wrong."),
    "repository.old_repository": mark("The repository of %(did)s has an old format without a revision."),
    "repository.no_account_status": mark("The account server of %(did)s doesn’t give the account’s status."),
    "repository.no_pds": mark("%(did)s names no account server."),
    "repository.no_signing_key": mark("%(did)s names no signing key."),
    "repository.sign_in_again": mark("Sign in again with this account, so that we can sync for you."),
    "repository.session_busy": mark("Your session at your account server is being renewed. Try again in a moment."),
    "repository.server_named_other_account": mark("The account server answered for a different account."),
    "repository.account_moved": mark("This account has moved to another server. Sign in again."),
    "repository.handle_needed": mark("Enter your name, like ana.example.org."),
    "repository.handle_not_email": mark(
        "This is an e-mail address. Sign in by e-mail, or enter your name there, like ana.example.org."
    ),
    "repository.second_factor": mark(
        "Your account server asks for a second factor. Create an app password there and use that."
    ),
    "repository.wrong_password": mark("That name and password don’t match."),
    "repository.handle_or_server_needed": mark(
        "Enter your name, like ana.example.org, or your account server’s address, like https://pds.example.org."
    ),
    "repository.signed_in_as_another": mark("You’re now signed in here as somebody else."),
}
