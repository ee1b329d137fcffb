"""Messages of the reasons of ``openmeet.domain.sign_in.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark, plural

MESSAGES: Final[Mapping[str, Message]] = {
    "sign_in.email_needed": mark("Enter your e-mail address."),
    "sign_in.email_or_handle_needed": mark(
        "Enter your e-mail address, like ana@example.org, or your handle, like ana.bsky.social."
    ),
    "sign_in.malformed_email": mark("This doesn’t look like an e-mail address. It should be like ana@example.org."),
    "sign_in.codes_used_up": mark("Too many wrong codes for this address today. Try again tomorrow."),
    "sign_in.codes_used_up_open_link": mark(
        "Too many wrong codes for this address today. Open the link in our e-mail instead, in the browser where you asked for it."
    ),
    "sign_in.wrong_code": plural(
        "That isn’t the code, or it no longer works. You have %(left)s try left.",
        "That isn’t the code, or it no longer works. You have %(left)s tries left.",
        by="left",
    ),
    "sign_in.code_over": mark("That isn’t the code, or it no longer works. Ask for a new one."),
    "sign_in.no_such_person": mark("There is no such person."),
    "sign_in.true_or_false_needed": mark("Say true or false."),
    "sign_in.code_or_password_needed": mark("Send either challengeId and code, or handle and password."),
    "sign_in.no_password_sign_in": mark("This site doesn’t take passwords."),
    "sign_in.no_network_sign_in": mark("You can’t sign in here with your own account server."),
    "sign_in.no_such_document": mark("There is no such document."),
    "sign_in.handle_needed": mark("Enter your name, like ana.example.org."),
    "sign_in.password_needed": mark("Enter your password."),
    "sign_in.try_again_later": mark("%(problem)s Try again in a while."),
    "sign_in.server_refuses_us": mark("Your server didn’t let us in: %(problem)s"),
    "sign_in.begin_again_later": mark("%(problem)s Start again in a while."),
}
