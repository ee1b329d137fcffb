"""Tables about chat, and about people's Matrix accounts."""

from typing import Final

from openmeet.domain.personal_data.model import (
    ColumnAudience,
    OnErasure,
    PersonExport,
    Retention,
    StoredTable,
    account,
    person,
    personal,
    plain,
    secret,
    unexported,
)

_OWN = "user_id = :id"
# The homeserver still has data of the person that a job will remove.
_IS_TAKEN_BACK = (
    "exists (select 1 from outbox_jobs j where j.kind = 'matrix_person' and j.subject = matrix_people.user_id"
    " and j.state <> 'completed')"
)
_MESSAGES = "message_id in (select id from chat_messages where user_id = :id)"

CHAT_TABLES: Final = (
    StoredTable(
        "chat_rooms",
        "Rooms of events, series and groups, and of one person with the hosts, which end with that person’s account.",
        "with_user_id = :id",
        Retention.PARENT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.HOSTS, "with_user_id"),
            personal(ColumnAudience.EVENT, "name about"),
            unexported(
                plain(
                    "matrix_room_id matrix_state matrix_error matrix_from matrix_since matrix_pictures_tried "
                    "matrix_pictures_since"
                )
            ),
            plain(
                "id kind event_id series_id group_id position audience history history_floor slow_seconds "
                "holds_messages retention last_number notified_up_to last_said_at matrix_guests revision opened_at "
                "closed_at closed_by created_at updated_at"
            ),
        ),
        PersonExport.READABLE,
    ),
    StoredTable(
        "chat_messages",
        "Messages. Those of a deleted account stay as empty messages, so that replies to them make sense. Messages "
        "that somebody wrote with their own Matrix account are emptied as well; the homeserver of that account keeps "
        "its own copy.",
        _OWN,
        Retention.PARENT,
        OnErasure.EMPTY,
        (
            person(ColumnAudience.ATTENDEES, "user_id"),
            person(ColumnAudience.HOSTS, "removed_by"),
            personal(ColumnAudience.ATTENDEES, "matrix_sender body details"),
            unexported(personal(ColumnAudience.NOBODY, "search_words client_id external_id")),
            plain(
                "id room_id number kind about reply_to revision said_at edited_at removed_at removed_by_site held_at"
            ),
        ),
        PersonExport.READABLE,
    ),
    StoredTable(
        "chat_pictures",
        "The message that the stored files of a picture belong to. Files without a message are removed within an hour.",
        _OWN,
        Retention.PARENT,
        OnErasure.PARENT,
        (
            person(ColumnAudience.NOBODY, "user_id"),
            personal(ColumnAudience.ATTENDEES, "key"),
            plain("message_id width height size waits_until created_at"),
        ),
        PersonExport.READABLE,
    ),
    StoredTable(
        "chat_log",
        "Numbered log of what happened in a room.",
        "",
        Retention.PARENT,
        OnErasure.PARENT,
        (plain("room_id number kind message_id at"),),
    ),
    StoredTable(
        "chat_readers",
        "A person’s settings for a room: how far they have read, their notification level, when they joined.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.SELF, "user_id", unique_with="room_id"),
            personal(ColumnAudience.SELF, "read_number level muted_until seen_at"),
            plain("room_id entered_at entered_number entered_by mailed_at mailed_number"),
        ),
        PersonExport.READABLE,
    ),
    StoredTable(
        "chat_mentions",
        "People mentioned in a message.",
        _OWN,
        Retention.PARENT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.ATTENDEES, "user_id", unique_with="message_id"),
            personal(ColumnAudience.ATTENDEES, "name"),
            plain("message_id is_called"),
        ),
        not_exported="part of other people’s messages",
    ),
    StoredTable(
        "chat_reactions",
        "Reactions to messages.",
        f"{_OWN} or matrix_sender = (select mxid from matrix_people where user_id = :id)",
        Retention.PARENT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.ATTENDEES, "user_id", unique_with="message_id emoji"),
            personal(ColumnAudience.ATTENDEES, "matrix_sender emoji"),
            unexported(personal(ColumnAudience.NOBODY, "external_id")),
            plain("message_id at"),
        ),
        PersonExport.READABLE,
    ),
    StoredTable(
        "chat_pins",
        "Messages that hosts pinned.",
        "pinned_by = :id",
        Retention.PARENT,
        OnErasure.DELETE,
        (person(ColumnAudience.ATTENDEES, "pinned_by"), plain("message_id room_id at")),
        not_exported="which messages of a room are pinned",
    ),
    StoredTable(
        "chat_votes",
        "Votes in polls.",
        _OWN,
        Retention.PARENT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.HOSTS, "user_id", unique_with="message_id choice"),
            personal(ColumnAudience.HOSTS, "choice"),
            plain("message_id"),
        ),
        PersonExport.READABLE,
    ),
    StoredTable(
        "chat_sanctions",
        "People who are muted or banned in a room.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.HOSTS, "user_id", unique_with="room_id kind of_site"),
            unexported(person(ColumnAudience.HOSTS, "by_user_id")),
            personal(ColumnAudience.HOSTS, "kind reason until"),
            plain("room_id of_site at lifted_at"),
        ),
        PersonExport.READABLE,
        remaining_rows="sanctions that they imposed on others stay, with the id of the empty row and without a reason",
    ),
    StoredTable(
        "chat_edits",
        "Earlier texts of edited messages, for 30 days.",
        _MESSAGES,
        Retention.SHORT,
        OnErasure.DELETE,
        (personal(ColumnAudience.HOSTS, "body"), plain("message_id revision until")),
        PersonExport.READABLE,
    ),
    StoredTable(
        "chat_removed",
        "Texts of messages that a host removed, sealed, for 30 days.",
        _MESSAGES,
        Retention.SHORT,
        OnErasure.DELETE,
        (secret("body_sealed"), plain("message_id until")),
        not_exported="sealed, and deleted after 30 days",
    ),
    StoredTable(
        "chat_acts",
        "Actions of moderators in a room, the people concerned, the reasons, and objections.",
        "user_id = :id or by_user_id = :id",
        Retention.PARENT,
        OnErasure.EMPTY,
        (
            person(ColumnAudience.HOSTS, "user_id by_user_id"),
            personal(ColumnAudience.HOSTS, "reason"),
            plain("act id room_id message_id until at"),
        ),
        not_exported=(
            "decisions of moderators, which the person was shown when they were made, and the person’s objections"
        ),
    ),
    StoredTable(
        "chat_reports",
        "Reports about messages.",
        "reporter_id = :id",
        Retention.PARENT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.HOSTS, "reporter_id", unique_with="message_id"),
            personal(ColumnAudience.HOSTS, "reason comment"),
            plain("id message_id to_tenant at closed_at outcome"),
        ),
        PersonExport.READABLE,
    ),
    StoredTable(
        "chat_access_changes",
        "People whose access to rooms may have changed, until a task has checked it.",
        _OWN,
        Retention.SHORT,
        OnErasure.DELETE,
        (person(ColumnAudience.NOBODY, "user_id"), plain("id event_id series_id group_id")),
        not_exported="entries that are processed within a minute",
    ),
    StoredTable(
        "search_chat_index",
        "Index of the words of messages (SQLite; PostgreSQL has an index over `chat_messages`).",
        "",
        Retention.PARENT,
        OnErasure.PARENT,
        (personal(ColumnAudience.NOBODY, "words"),),
        not_exported="computed from messages",
    ),
    StoredTable(
        "search_chat_numbers",
        "Mapping between entries of that index and messages.",
        "",
        Retention.PARENT,
        OnErasure.PARENT,
        (plain("number message_id"),),
    ),
    StoredTable(
        "matrix_people",
        "Whether a person’s messages are sent to Matrix, and their account there.",
        f"{_OWN} and not {_IS_TAKEN_BACK}",
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.SELF, "user_id", unique_with=""),
            account(ColumnAudience.ATTENDEES, "localpart mxid"),
            unexported(secret("link_code_hash")),
            personal(ColumnAudience.SELF, "consent invites"),
            plain("ghost_made_at linked_at link_expires_at answered_at"),
        ),
        PersonExport.READABLE,
        export_rows=_OWN,
        remaining_rows=(
            "while an unreachable homeserver still has their messages, the random name of the Matrix user that posted "
            "them stays until they are removed there"
        ),
    ),
    StoredTable(
        "matrix_guests",
        "Guests from Matrix, whom hosts invited to a room by their address.",
        "mxid = (select mxid from matrix_people where user_id = :id)",
        Retention.PARENT,
        OnErasure.DELETE,
        (
            account(ColumnAudience.ATTENDEES, "mxid"),
            unexported(person(ColumnAudience.HOSTS, "by_user_id")),
            personal(ColumnAudience.HOSTS, "state membership reason"),
            plain("room_id is_due at"),
        ),
        PersonExport.READABLE,
        remaining_rows="guests whom they invited or banned stay, with the id of the empty row and without a reason",
    ),
    StoredTable(
        "matrix_choices",
        "Rooms to which a person’s linked account is invited.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.SELF, "user_id", unique_with="room_id"),
            personal(ColumnAudience.SELF, "wish"),
            plain("room_id is_due"),
        ),
        PersonExport.READABLE,
    ),
    StoredTable(
        "matrix_sends",
        "Mapping between entries of a room’s log and events on the Matrix server.",
        "",
        Retention.PARENT,
        OnErasure.PARENT,
        (plain("room_id number event_id sent_revision"),),
    ),
    StoredTable(
        "matrix_pictures",
        "Mapping between pictures of messages and files and events on the Matrix server.",
        "",
        Retention.PARENT,
        OnErasure.PARENT,
        (plain("message_id picture_key uri event_id"),),
    ),
    StoredTable(
        "matrix_cursor",
        "How far the Matrix server has been read, and by which process.",
        "",
        Retention.SITE,
        OnErasure.KEEP,
        (plain("id since epoch holder held_until"),),
    ),
)
