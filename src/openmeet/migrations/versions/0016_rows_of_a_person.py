"""Indexes for finding the rows of a person who is deleted, and rows about an event or group whose content is erased."""

from typing import Final

from groundwork.database.revision import execute

revision = "0016"
down_revision = "0015"

_INDEXES: Final = (
    "attendances_by_address on attendances (invited_as) where invited_as is not null",
    "chat_messages_of_sender on chat_messages (matrix_sender) where matrix_sender is not null",
    "chat_reactions_by_sender on chat_reactions (matrix_sender) where matrix_sender is not null",
    "chat_reactions_of_message on chat_reactions (message_id)",
    "chat_reports_of_message on chat_reports (message_id)",
    "chat_rooms_by_event on chat_rooms (event_id) where event_id is not null",
    "event_co_hosts_by_address on event_co_hosts (email) where email is not null",
    "group_announcements_of_author on group_announcements (author_id)",
    "group_invitations_by_address on group_invitations (email) where email is not null",
    "group_invitations_of_person on group_invitations (invited_by)",
    "group_roles_log_notes on group_roles_log (note) where note <> ''",
    "groups_by_owner on groups (owner_id)",
    "host_messages_of_author on host_messages (author_id)",
    "imported_contacts_by_address on imported_contacts (email)",
    "imported_contacts_of_person on imported_contacts (invited_by)",
    "notification_emails_of_person on notification_emails (user_id)",
    "notifications_of_subject on notifications (subject_id)",
    "reports_about on reports (subject)",
    "user_mutes_of_subject on user_mutes (subject)",
)


def upgrade() -> None:
    for index in _INDEXES:
        execute(f"create index {index}")
