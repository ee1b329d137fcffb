"""Messages for the reasons of the whole site, its operation and its API."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.catalogue import Message, mark, plural

MESSAGES: Final[Mapping[str, Message]] = {
    # reasons that several packages use
    "general.choose_from": mark("Choose from: %(choices)s."),
    "general.limit_out_of_range": mark("The limit must be a whole number from 1 to %(most)s."),
    "general.invalid_cursor": mark("We can’t continue this list from here. Open it again from the start."),
    "general.choose_one": mark("Choose one of: %(choices)s."),
    "general.true_or_false_needed": mark("Send true or false."),
    "general.number_out_of_range": mark("Enter a whole number from 1 to %(most)s."),
    "general.year_out_of_range": mark("The year must be between %(first_year)s and %(last_year)s."),
    "general.description_too_long": mark("A description can have up to %(most)s characters."),
    "general.question_too_long": mark("A question can have up to %(most)s characters."),
    "general.name_too_long": mark("A name can have up to %(most)s characters."),
    "general.text_too_long": mark("Use up to %(most)s characters."),
    "general.text_of_length_too_long": mark("Use up to %(most)s characters. You wrote %(length)s."),
    "general.unstorable_character": mark("The form contains a character that we can’t store."),
    "general.no_such_event": mark("This event doesn’t exist."),
    "general.no_such_person": mark("This person doesn’t exist."),
    # reasons of openmeet.outbox.emails
    "email.separator_in_name": mark("The name contains a control character, so we can’t send the e-mail."),
    "email.response_lost": mark("The mail server didn’t confirm that it got the e-mail."),
    # reasons of groundwork.errors
    "failure.invalid_input": mark("We can’t read what was sent."),
    "failure.not_signed_in": mark("You need to sign in again."),
    "failure.forbidden": mark("It isn’t allowed."),
    "failure.not_found": mark("It doesn’t exist."),
    "failure.conflict": mark("It was changed at the same time."),
    "failure.refused": mark("It was refused."),
    "failure.too_large": mark("It’s too large."),
    "failure.too_many": mark("The server isn’t taking any more requests right now."),
    "failure.remote_failed": mark("The other server failed."),
    "failure.remote_slow": mark("The other server didn’t answer in time."),
    "failure.not_asked": mark("The other server keeps failing, so it isn’t called for a while."),
    "failure.unavailable": mark("A service we need isn’t responding."),
    "failure.server_said": mark("%(host)s says: %(words)s"),
    "failure.answered_with_status": mark("%(host)s answered with status %(status)s."),
    "failure.answer_too_long": mark("%(host)s sent more than %(most)s bytes."),
    "failure.no_answer_in_time": mark("%(host)s didn’t answer in time."),
    "failure.not_public": mark("%(host)s doesn’t lead to a public address."),
    "failure.connection_broken": mark("%(host)s closed the connection."),
    "failure.unreachable": mark("%(host)s can’t be reached."),
    "failure.unreadable_answer": mark("%(host)s sent an answer that we can’t read."),
    "failure.stream_broken": mark("The connection broke off."),
    "failure.stream_unreadable": mark("The stream sent something that we can’t read."),
    "failure.stream_message_too_long": mark("The stream sent more than %(most)s bytes at once."),
    "failure.earlier_text": mark("An earlier version noted: “%(text)s”"),
    "failure.unforeseen": mark("An unexpected error: %(error)s."),
    # reasons of groundwork.queue
    "queue.broker_gave_up": mark("The broker gave up: %(cause)s."),
    # reasons of openmeet.web.site
    "site.authentication_required": mark("Sign in first."),
    "site.nothing_here": mark("There’s nothing at this address."),
    "site.malformed_instant": mark("Enter a date and time like 2027-03-02T17:00:00Z."),
    "site.no_such_date_or_time": mark("This date or time doesn’t exist."),
    "site.no_such_community": mark("This community doesn’t exist here."),
    "site.invalid_token": mark(
        "This token is unknown or has expired. Sign in again to get a new one. If it should be an API token, "
        "check that you copied all of it."
    ),
    "site.reads_no_files": mark("This site isn’t reading files right now."),
    "site.accounts_joined": mark("Your accounts were merged just now, so nothing was saved. Try again."),
    "site.too_many_streams": mark("Too many pages are open. Close some, or try again later."),
    "site.link_ended": mark("This link doesn’t work any more. Ask a host for the new one."),
    "site.form_too_large": mark(
        "This form is too long for us to save. Sign in in another tab, then send it again from here."
    ),
    "site.too_many_attempts": mark("Too many attempts. Try again in %(wait)s."),
    "site.seconds": plural("a second", "%(number)s seconds", by="number"),
    "site.minutes": plural("%(number)s minute", "%(number)s minutes", by="number"),
    "site.hours": plural("%(number)s hour", "%(number)s hours", by="number"),
    # reasons of openmeet.web.api
    "api.not_for_services": mark("A service can’t do this."),
    "api.session_needed": mark("Tokens can’t do this. Sign in to do it."),
    "api.insufficient_scope": mark("This token can’t do that: it lacks the scope %(needed)s."),
    "api.services_only": mark("This is for services with a credential from the operator."),
    "api.credential_lacks_scope": mark("This credential can’t do that: it lacks the scope %(needed)s."),
    "api.no_version_in_form": mark("We can’t tell which version this form was opened for. Open the page again."),
    "api.unknown_version": mark("If-Match doesn’t match any version that this server sent."),
    "api.nothing_to_match": mark("Nothing exists here yet, so there’s nothing for If-Match to match."),
    "api.changed_since_read": mark("It has changed since you read it. Read it again, then change it."),
    "api.malformed_key": mark("A key has 1 to %(most)s visible characters."),
    "api.in_progress": mark("This request is already being processed. Try again in a moment."),
    "api.key_reused": mark("You already used this key for another request. Use a new key for each request."),
    "api.answer_not_kept": mark("This request was already processed. Its answer is no longer stored."),
    "api.unknown_parameter": mark("There’s no parameter %(parameter)s here. Choose from: %(known)s."),
    "api.takes_no_parameters": mark("There’s no parameter %(parameter)s here. This operation doesn’t take any."),
    "api.unknown_token": mark(
        "This API token is unknown, has expired or was revoked. Create a new one in your settings."
    ),
    "api.unknown_credential": mark("This credential is unknown or was revoked."),
    # reasons of openmeet.web.admin
    "admin.operators_only": mark(
        "This is for the people who run this site, and for services with a credential that they made."
    ),
    # reasons of openmeet.domain.webhooks
    "webhook.too_many_webhooks": mark("You already have %(most)s addresses. Remove one you don’t use first."),
    "webhook.no_such_webhook": mark("That webhook isn’t one of yours."),
    "webhook.off": mark("This webhook is off. Turn it on first."),
    "webhook.still_waiting": mark("It’s already on its way."),
    "webhook.no_such_delivery": mark("This delivery doesn’t exist."),
    "webhook.url_needed": mark("Enter the address that gets the messages."),
    "webhook.url_too_long": mark("An address can have up to %(most)s characters."),
    "webhook.malformed_url": mark("An address has no spaces or special characters. Write a space as %%20."),
    "webhook.kinds_needed": mark("Choose at least one of: %(kinds)s."),
    "webhook.calls_no_addresses": mark("This site isn’t calling other addresses right now."),
    "webhook.kind_needed": mark("Select at least one."),
    "webhook.switched_off_by_owner": mark("You turned it off."),
    "webhook.dropped_while_off": mark("The webhook was off."),
    "webhook.nothing_to_see": mark("You can’t see what this message was about."),
    "webhook.answered_with_status": mark("The address answered with status %(status)s."),
    "webhook.unknown_button": mark("Choose one of the buttons."),
    # reasons of openmeet.domain.notifications
    "notification.zone_needed": mark("Choose a time zone from the list."),
    "notification.malformed_time": mark("Enter a time like 22:00."),
    "notification.times_incomplete": mark("Fill in both times, or neither."),
    "notification.hour_needed": mark("Choose an hour from the list."),
    "notification.list_outdated": mark("Open the list again, then mark it as read."),
    # reasons of openmeet.domain.moderation
    "moderation.decided_meanwhile": mark("Somebody else decided this just now. Take another look."),
    "moderation.nothing_reported": mark("There are no more reports about it."),
    "moderation.no_such_action": mark("This operation doesn’t exist."),
    "moderation.already_undone": mark("This has already been undone."),
    "moderation.decided_since": mark("Somebody else has already decided this. Take another look before you decide."),
    "moderation.changed_since": mark("It has been changed again since then. Change it by hand."),
    "moderation.reason_needed": mark("Choose what’s wrong with it."),
    "moderation.nothing_to_change": mark("There’s nothing to do. It’s already set like that."),
    "moderation.text_needed": mark("Say in a few words what’s wrong."),
    "moderation.explanation_needed": mark("Say why. The owner will see it."),
    "moderation.malformed_pds": mark("Enter the address of an account server, like https://pds.example."),
    "moderation.not_mutable": mark("People and groups can be muted."),
    "moderation.changed_since_opened": mark(
        "This has been changed since you opened it. Read it again, then change it."
    ),
    "moderation.rules_changed_while_open": mark(
        "Somebody changed these rules after you opened this page. What you typed is still here. Fields that differ show "
        "the current version next to them. Save again to use yours."
    ),
    "moderation.moderators_only": mark("This is for the moderators of this site."),
    "moderation.no_such_subject": mark("This item doesn’t exist."),
    "moderation.malformed_subject": mark(
        "Enter a DID, like did:plc:…, or the address of an account server, like https://pds.example."
    ),
    "moderation.number_out_of_range": mark("Enter a whole number from %(least)s to %(most)s."),
    # reasons of openmeet.domain.moderation_effects
    "moderation_effects.no_such_subject": mark("This item doesn’t exist."),
}

# Sentences from lower packages that pages show.
_OF_OTHERS: Final = (
    mark("There’s nothing at this address."),
    mark("This address doesn’t support that method."),
    mark("The request is unreadable."),
    mark("The address is too long."),
    mark("The headers are too long."),
    mark("The upload was too slow. Try again on a faster connection."),
    mark("The request was refused."),
    mark("This form was sent from another site. Open the page here and send it again."),
    mark("This address expects a form."),
    mark("The form contains an unreadable character."),
    mark("Type an e-mail address like name@example.org."),
    mark("The e-mail address is too long."),
    mark("The part before the @ isn’t valid in an e-mail address."),
    mark("The part after the @ must be a domain."),
)
