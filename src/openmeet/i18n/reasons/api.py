"""Messages of the reasons of ``openmeet.web.api.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "api.not_for_services": mark("A service can’t do this."),
    "api.session_needed": mark("Tokens can’t do this. Open a session instead."),
    "api.insufficient_scope": mark("This token can’t do that: it lacks the scope %(needed)s."),
    "api.services_only": mark("This is for services with a credential from the operator."),
    "api.credential_lacks_scope": mark("This credential can’t do that: it lacks the scope %(needed)s."),
    "api.no_version_in_form": mark("This form does not say which version it was opened for."),
    "api.unknown_version": mark("If-Match does not name a version that was answered here."),
    "api.nothing_to_match": mark("There is nothing here yet that If-Match could name."),
    "api.changed_since_read": mark("It was changed since you read it. Read it again, then change it."),
    "api.malformed_key": mark("A key has 1 to %(most)s visible characters."),
    "api.in_progress": mark("This request is being carried out already. Try again."),
    "api.key_reused": mark("This key was already used for another request. Use a new key for each request."),
    "api.answer_not_kept": mark("This request was already carried out. Its answer is no longer stored."),
    "api.limit_out_of_range": mark("The limit is a whole number from 1 to %(most)s."),
    "api.unknown_parameter": mark("There is no parameter %(parameter)s here. Choose from: %(known)s."),
    "api.takes_no_parameters": mark("There is no parameter %(parameter)s here. This operation takes none."),
    "api.unknown_token": mark("This token is unknown, has expired or was revoked."),
    "api.unknown_credential": mark("This credential is unknown or was revoked."),
}
