"""Messages for the reasons of accounts: signing in, profiles, settings and data export."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.catalogue import Message, mark, plural

MESSAGES: Final[Mapping[str, Message]] = {
    # reasons of openmeet.domain.users
    "user.unknown_zone": mark("Choose a time zone from the list."),
    "user.unknown_language": mark("Choose a language from the list."),
    "user.changed_since_opened": mark("Your profile was changed since you read it. Read it again, then change it."),
    "user.changed_while_open": mark(
        "This was changed after you opened this page. What you typed is still here. Fields that differ show the current "
        "version next to them. Save again to use yours."
    ),
    "user.name_needed": mark("Enter the name that others see."),
    "user.host_needs_name": mark("Choose your name in your profile first, so that people see who hosts this."),
    "user.author_needs_name": mark(
        "The person who started it has no name yet, so nobody could see who hosts this. Ask them to choose a name in their"
        " profile."
    ),
    "user.email_in_use": mark("Somebody is signing up with this address right now. Try again in a moment."),
    "user.name_is_handle": mark(
        "This looks like the @name of an account. If it’s yours, sign in with that account first. Otherwise choose"
        " another name."
    ),
    "user.names_nobody": mark(
        "We can’t tell who that is. Enter an e-mail address, or a full account name like ana.example.org."
    ),
    "user.guest_email_in_use": mark("This address is being saved right now. Try again in a moment."),
    "user.notice_needed": mark(
        "To say yes, send the notice back. Show the person the record, the handle and the notice first."
    ),
    "user.version_needed": mark("Consent must match what was shown. Send the ETag of the consent text that you read."),
    "user.choice_changed_since_read": mark("Your choice was changed since you read it. Read it again, then answer."),
    "user.publishes_nothing": mark("This site isn’t syncing right now. Try again later."),
    "user.no_recovery_key": mark("There’s no recovery key waiting for you here."),
    "user.not_your_account": mark("This isn’t one of your accounts."),
    "user.account_needed": mark("Choose one of your accounts."),
    "user.no_account_kept": mark("We don’t manage an account for you."),
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
        "Your account server may have let you in without asking for your password. Sign in again, "
        "then delete your account within 10 minutes."
    ),
    "user.app_password_adds_nothing": mark(
        "You signed in with an app password. To add another way to sign in, first sign in with a code by "
        "e-mail, at your account server, or with your account’s own password."
    ),
    "user.nothing_lost": mark("%(problem)s Nothing is lost. Try again in a few minutes."),
    # reasons of openmeet.domain.sign_in
    "sign_in.email_needed": mark("Enter your e-mail address."),
    "sign_in.email_or_handle_needed": mark(
        "Enter your e-mail address, like ana@example.org, or your account name, like ana.bsky.social."
    ),
    "sign_in.malformed_email": mark("This doesn’t look like an e-mail address. It should be like ana@example.org."),
    "sign_in.codes_used_up": mark("Too many wrong codes for this address today. Try again tomorrow."),
    "sign_in.codes_used_up_open_link": mark(
        "Too many wrong codes for this address today. Open the link in our e-mail instead, in the browser "
        "where you asked for it."
    ),
    "sign_in.wrong_code": plural(
        "That code is wrong or no longer works. You have %(left)s try left.",
        "That code is wrong or no longer works. You have %(left)s tries left.",
        by="left",
    ),
    "sign_in.code_over": mark("That code is wrong or no longer works. Ask for a new one."),
    "sign_in.code_or_password_needed": mark("Send either challengeId and code, or handle and password."),
    "sign_in.no_password_sign_in": mark("This site doesn’t take passwords."),
    "sign_in.no_network_sign_in": mark("You can’t sign in here with your own account server."),
    "sign_in.no_such_document": mark("This document doesn’t exist."),
    "sign_in.handle_needed": mark("Enter your account name, like ana.example.org."),
    "sign_in.password_needed": mark("Enter your password."),
    "sign_in.try_again_later": mark("%(problem)s Try again in a few minutes."),
    "sign_in.server_refuses_us": mark("Your server didn’t let us in: %(problem)s"),
    "sign_in.begin_again_later": mark("%(problem)s Start again in a few minutes."),
    # reasons of openmeet.web.email_links
    "email_link.cut_off": mark("The link is incomplete. Open it from the e-mail again."),
    "email_link.too_old": mark(
        "The link is too old or incomplete. Open the one in the newest e-mail, or sign in and find the event "
        "under My events."
    ),
    "email_link.no_chat": mark("There’s no chat here that you can read."),
    "email_link.no_such_event": mark("That event no longer exists."),
    # reasons of openmeet.domain.identities
    "identity.not_your_account": mark("This isn’t one of your accounts."),
    "identity.kept_here": mark("We manage this account for you. Stop syncing instead, or take it over."),
    "identity.recovery_key_waits": mark("Its recovery key is still here and would be lost. Save it first."),
    "identity.last_way_in": mark(
        "It’s the only way you have to sign in here. Add an e-mail address to this account first."
    ),
    "identity.account_of_another_person": mark("This account belongs to somebody else here."),
    "identity.cannot_delete_account": mark(
        "We can’t delete the account at its server. Ask the server’s operator to do it."
    ),
    "identity.may_still_be_made": mark(
        "The account server may still be creating this account. We’ll check again in 20 minutes."
    ),
    "identity.server_was_away": mark("This account’s server hasn’t answered for days."),
    "identity.changed_since_opened": mark("These settings have been changed since you opened them."),
    # reasons of openmeet.domain.account_merge
    "account_merge.prove_again": mark("There’s nothing to merge here. Confirm the other account again."),
    "account_merge.expired": mark("There’s nothing left to merge here. Confirm the other account again."),
    "account_merge.account_gone": mark("That account no longer exists."),
    "account_merge.proof_of_other_accounts": mark(
        "The account you confirmed has changed. Confirm the other account again."
    ),
    "account_merge.nothing_to_join": mark("There’s nothing left to merge here."),
    "account_merge.two_repositories": mark(
        "We manage an account for each of the two. Take one over first, then merge them."
    ),
    # reasons of openmeet.domain.profiles
    "profile.cannot_follow_oneself": mark("You can’t follow yourself."),
    "profile.follows_too_many": mark("You already follow %(most)s people. Unfollow somebody first."),
    "profile.not_followed": mark("You don’t follow this person."),
    "profile.cannot_follow": mark("You can’t follow this person."),
    # reasons of openmeet.domain.safety
    "safety.own_content": mark("This is yours. Edit or delete it instead."),
    "safety.cannot_block_oneself": mark("You can’t block yourself."),
    "safety.not_blocked": mark("You haven’t blocked or muted this person."),
    "safety.cannot_mute_oneself": mark("You can’t mute yourself."),
    "safety.no_such_person_or_group": mark("This person or group doesn’t exist."),
    "safety.not_muted": mark("You haven’t muted this."),
    "safety.no_such_page": mark("This page doesn’t exist."),
    # reasons of openmeet.domain.api_tokens
    "api_token.service_name_needed": mark("Describe the service in up to %(most)s characters."),
    "api_token.service_scope_needed": mark("Choose at least one thing that the service can do."),
    "api_token.no_such_credential": mark("This credential doesn’t exist."),
    "api_token.label_needed": mark("Say what the token is for."),
    "api_token.scope_needed": mark("Choose at least one thing that the token may do."),
    "api_token.lifetime_out_of_range": mark("A token works for 1 to %(most)s days, or until you revoke it."),
    "api_token.too_many_tokens": mark("You already have %(most)s tokens. Revoke one you don’t use first."),
    "api_token.no_such_token": mark("That token isn’t one of yours."),
    # reasons of openmeet.domain.data_export
    "data_export.person_is_here": mark(
        "The id in this document already belongs to somebody here with a different e-mail address and other identities."
    ),
    "data_export.nobody_answered": mark("Nobody answered."),
    "data_export.not_here": mark("It isn’t on this site."),
    "data_export.row_of_another_person": mark("%(table)s has a row that belongs to somebody else."),
    "data_export.email_taken": mark("Somebody else already uses this e-mail address here."),
    "data_export.nobody_asked_to_join": mark("Nobody asked to join."),
    "data_export.not_of_one_person": mark("This isn’t an export of one person."),
    "data_export.no_person_named": mark("This document doesn’t say whose it is."),
    "data_export.rows_not_a_list": mark("%(table)s isn’t a list of rows."),
    "data_export.unknown_columns": mark(
        "%(table)s has columns that this site doesn’t know. Use the release that made it."
    ),
    "data_export.series_in_a_circle": mark("Series refer to each other in a cycle."),
    "data_export.unreadable_value": mark("%(where)s has a value that exports never have."),
    "data_export.unreadable_bytes": mark("%(where)s has bytes that can’t be read."),
    "data_export.not_of_a_site": mark("This isn’t an export of a whole site."),
    "data_export.too_new": mark("This export was made by a newer release. Import it with that release."),
    "data_export.not_empty": mark("That database already contains a site. Choose an empty one."),
    "data_export.not_an_export": mark("This isn’t an export. An export has one JSON object on each line."),
    "data_export.rows_in_a_circle": mark("Rows of %(label)s refer to each other in a cycle."),
    "data_export.incomplete": mark("The export is incomplete: its end or some rows are missing."),
    "data_export.line_too_long": mark("A line of an export can have up to %(most)s MB."),
    "data_export.unknown_line": mark("Line %(number)s doesn’t belong to an export."),
    "data_export.unknown_table": mark("%(table)s doesn’t belong in an export."),
    "data_export.other_columns": mark("%(where)s has other columns than this table: %(columns)s."),
    "data_export.damaged": mark("The export is damaged: %(problem)s."),
    "data_export.cannot_follow": mark("You can’t follow this person."),
    # reasons of openmeet.domain.saved_searches
    "saved_search.of_groups": mark(
        "You already get news about your groups’ events. Search all events to save a search."
    ),
    "saved_search.too_wide": mark("Search for words, a topic or a place. Nearly every event would match this."),
    "saved_search.too_many_searches": mark("You already have %(most)s saved searches. Remove one first."),
    "saved_search.no_such_search": mark("That search isn’t one of yours."),
}
