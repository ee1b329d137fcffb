"""Messages for the reasons in ``openmeet.domain.groups.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.catalogue import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "group.changed_since_opened": mark("This group has been changed since you opened it."),
    "group.only_owner_sets_level": mark(
        "Only the group’s owner can decide what other apps learn about members-only events."
    ),
    "group.only_owner_publishes": mark("Only the group’s owner can decide whether other apps show the group."),
    "group.not_public": mark("Only a public group can choose its address. Other addresses have to be hard to guess."),
    "group.malformed_address": mark(
        "Use 3 to %(most)s letters a to z, digits or single hyphens. Hyphens can’t be at the start or end."
    ),
    "group.address_taken": mark("This address is taken. Choose another."),
    "group.being_created": mark("This group is already being created. Try again."),
    "group.link_uses_out_of_range": mark("A link can let in 1 to %(most)s people."),
    "group.link_days_out_of_range": mark("A link works for 1 to %(most)s days."),
    "group.not_a_member": mark("This person isn’t in the group."),
    "group.too_many_invitations": mark(
        "A group can send up to %(most)s e-mail invitations a day, and %(left_today)s are left today. Share "
        "a link instead."
    ),
    "group.no_such_invitation": mark("This invitation doesn’t exist."),
    "group.invitation_over": mark(
        "This invitation was used or withdrawn, or it’s too old. Ask the person who invited you for a new one."
    ),
    "group.malformed_did": mark("We found no account with this name. Check the spelling."),
    "group.follows_too_many": mark("A group can follow up to %(most)s others."),
    "group.not_yourself": mark("You can’t remove yourself. Leave the group instead."),
    "group.text_needed": mark("Write what you want to tell them."),
    "group.too_many_announcements": mark("A group can send up to %(most)s announcements a day. Try again tomorrow."),
    "group.no_such_announcement": mark("This announcement doesn’t exist."),
    "group.public_group": mark("Everyone can find this group. First choose who can see it."),
    "group.absence_out_of_range": mark("Choose from %(shortest_absence)s to %(longest_absence)s days."),
    "group.wait_out_of_range": mark("Choose from %(shortest_wait)s to %(longest_wait)s days."),
    "group.already_yours": mark("You own this group. Choose somebody else."),
    "group.one_owner": mark("You already own this group."),
    "group.only_parties_end_offer": mark("Only the owner and the person who was asked can end this."),
    "group.not_offered": mark("This group is no longer offered to you."),
    "group.asked_already": mark("Somebody else has already asked."),
    "group.owner_is_here": mark("The owner was here recently. Talk to them."),
    "group.only_parties_end_request": mark("Only the owner and the person who asked can end this."),
    "group.not_next_in_line": mark("Somebody else in this group has a higher role than you. Ask them to take it over."),
    "group.no_picture": mark("This group has no picture yet."),
    "group.has_repository": mark("This group already has its own account."),
    "group.kept_elsewhere": mark("This group comes from another app and is only shown here."),
    "group.no_such_group": mark("This group doesn’t exist."),
    "group.role_too_high": mark("You can only decide about people whose role is below yours."),
    "group.not_a_role": mark("Choose one of the roles admin, moderator, member."),
    "group.hand_over_instead": mark("A group has one owner. Hand it over instead."),
    "group.banned": mark("You’re banned from this group."),
    "group.owner_cannot_leave": mark("You own this group. Hand it over to somebody first, or delete it."),
    "group.answer_needed": mark("Answer the question, so they know who’s asking."),
    "group.not_asked": mark("Ask to take this group over first."),
    "group.owner_is_back": mark("The owner has been here since you asked. Talk to them."),
    "group.still_waiting": mark("The owner still has time to say no."),
    "group.nothing_to_take_back": mark("Nobody took this group over from you."),
    "group.invitation_only": mark("People need an invitation to join this group."),
    "group.addresses_needed": mark("Paste the addresses of the people you want to invite."),
    "group.no_address_found": mark(
        "Paste the addresses of the people you want to invite. We found no address in “%(text)s”."
    ),
    "group.malformed_addresses": mark("These aren’t e-mail addresses: %(addresses)s."),
    "group.seen_by_admins_only": mark("This group is hidden right now, so you can’t invite anyone."),
    "group.may_not_view": mark("You can’t see this group."),
    "group.may_not_see_members": mark("You can’t see who is in this group."),
    "group.may_not_post": mark("You can’t write in this group."),
    "group.may_not_leave": mark("You can’t leave this group."),
    "group.may_not_create_event": mark("You can’t create events in this group."),
    "group.may_not_invite": mark("You can’t invite people to this group."),
    "group.may_not_approve": mark("You can’t decide who joins this group."),
    "group.may_not_remove": mark("You can’t remove people from this group."),
    "group.may_not_ban": mark("You can’t ban people from this group."),
    "group.may_not_see_log": mark("You can’t see this group’s log."),
    "group.may_not_announce": mark("You can’t write to everyone in this group."),
    "group.may_not_edit_any_event": mark("You can’t change other people’s events in this group."),
    "group.may_not_change_role": mark("You can’t change roles in this group."),
    "group.may_not_edit_group": mark("You can’t change this group."),
    "group.may_not_follow": mark("You can’t choose what this group follows."),
    "group.may_not_take_over": mark("You can’t ask to take this group over."),
    "group.may_not_transfer": mark("You can’t hand this group over."),
    "group.may_not_delete": mark("You can’t delete this group."),
    "group.named_group_deleted": mark("The owner deleted “%(group)s”. Its events stay with their hosts."),
    "group.named_group_removed_elsewhere": mark(
        "“%(group)s” was deleted on the server it came from. Its events stay with their hosts."
    ),
    "group.group_deleted": mark("The owner deleted this group. Its events stay with their hosts."),
    "group.group_removed_elsewhere": mark(
        "This group was deleted on the server it came from. Its events stay with their hosts."
    ),
    "group.cannot_join": mark("You can’t join this group."),
    "group.cannot_follow": mark("You can’t follow this group."),
    "group.cannot_offer": mark("You can’t offer it to them."),
    "group.cannot_name": mark("You can’t choose this person."),
    "group.yes_needed": mark("Select the checkbox to confirm, or go back."),
    "group.no_such_page": mark("This page doesn’t exist."),
    "group.no_such_address": mark("The calendar is no longer at that address."),
    "group.name_needed": mark("Give the group a name."),
    "group.unknown_country": mark("We don’t know this country. Choose one from the list, or leave it empty."),
    "group.zone_needed": mark("Choose the group’s time zone, like Europe/Berlin."),
    "group.name_too_long": mark("A name can have up to %(most)s characters. This one has %(length)s."),
    "group.too_many_addresses": mark("Paste up to %(most)s addresses at once."),
    "group.too_many_requests": mark("Select up to %(most)s requests at once."),
    "group.people_needed": mark("Select one or more people first."),
    "group.unknown_role": mark("Choose one of the roles in the list."),
    "group.days_needed": mark("Enter a number of days."),
    "group.person_needed": mark("Choose somebody."),
    "group.name_to_confirm": mark("Type exactly %(label)s here."),
    "group.changed_while_open": mark(
        "This group was changed after you opened this form. What you typed is still here. Fields that differ "
        "show the current version next to them. Save again to use yours."
    ),
    "group.key_reused": mark("You already created a different group with this key. Use a new key for another group."),
    "group.already_announced": mark(
        "You’ve already sent a different announcement with this form. Send it again to announce both."
    ),
}
