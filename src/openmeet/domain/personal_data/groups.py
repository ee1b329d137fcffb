"""Tables about groups and about moderation."""

from typing import Final

from openmeet.domain.personal_data.model import (
    ADDRESS,
    DIDS,
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
# Rows about the person, or about an event, series or group of theirs.
_ABOUT = (
    "subject = :id or subject in (select id from events where author_id = :id and origin = 'here'"
    " union all select id from event_series where user_id = :id union all select id from groups where owner_id = :id)"
)

GROUPS: Final = (
    StoredTable(
        "groups",
        "Groups of people with common events.",
        "owner_id = :id",
        Retention.CONTENT,
        OnErasure.PASS_ON,
        (
            person(ColumnAudience.EVENT, "owner_id created_by account_id"),
            person(ColumnAudience.MEMBERS, "successor_id backup_admin_id heir_id"),
            account(ColumnAudience.MEMBERS, "backup_admin_did"),
            unexported(account(ColumnAudience.EVENT, "external_id external_source")),
            account(ColumnAudience.EVENT, "predecessor_uri"),
            personal(
                ColumnAudience.EVENT,
                "slug name description locality country latitude longitude join_question picture_key picture_alt "
                "record_avatar",
            ),
            personal(ColumnAudience.NOBODY, "search_text submission_key submission_digest"),
            unexported(plain("external_cid")),
            plain(
                "id time_zone join_policy visibility promotion_level succession_asked_at sync_enabled revision deleted_at"
                " created_at updated_at absence_days wait_days succession_reminded_at heir_offered_at announces_events"
                " is_read_only picture_width picture_height picture_tone picture_revision"
            ),
        ),
        PersonExport.IMPORTED,
        export_rows="owner_id = :id and deleted_at is null",
    ),
    StoredTable(
        "group_slugs",
        "Former addresses of a group’s page.",
        "",
        Retention.PARENT,
        OnErasure.PARENT,
        (personal(ColumnAudience.EVENT, "slug"), plain("group_id created_at")),
        not_exported="addresses that redirect only on this site",
    ),
    StoredTable(
        "group_members",
        "Members, requests to join and answers to them.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.MEMBERS, "user_id", unique_with="group_id"),
            person(ColumnAudience.HOSTS, "decided_by"),
            unexported(account(ColumnAudience.MEMBERS, "external_id external_did")),
            personal(ColumnAudience.HOSTS, "answer"),
            personal(ColumnAudience.MEMBERS, "role"),
            unexported(plain("network_role")),
            plain(
                "id group_id requested_at joined_at decided_at notifications_enabled sync_enabled revision "
                "created_at updated_at"
            ),
        ),
        PersonExport.IMPORTED,
        remaining_rows="members whom they admitted stay, with the id of the empty row",
    ),
    StoredTable(
        "group_followers",
        "Who follows a group.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.SELF, "user_id", unique_with="group_id"),
            plain("group_id notifications_enabled created_at updated_at"),
        ),
        PersonExport.IMPORTED,
    ),
    StoredTable(
        "group_follows",
        "Network accounts whose events a group lists.",
        f"did in {DIDS}",
        Retention.PARENT,
        OnErasure.DELETE,
        (
            account(ColumnAudience.MEMBERS, "did"),
            person(ColumnAudience.MEMBERS, "followed_by"),
            plain("group_id created_at"),
        ),
        not_exported="belongs to the group, no matter who added it",
        remaining_rows="accounts that they chose for the group stay, with the id of the empty row",
    ),
    StoredTable(
        "group_invitations",
        "Invitations to a group, by e-mail or by link. If somebody declines, the address is deleted at once; a hash "
        "of it stays (`declined_addresses`).",
        f"invited_by = :id or email = {ADDRESS}",
        Retention.PARENT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.HOSTS, "invited_by"),
            personal(ColumnAudience.HOSTS, "email", Retention.INVITATION),
            plain("id group_id uses_left expires_at revoked_at created_at declined_at uses"),
        ),
        not_exported="belongs to the group, no matter who made it",
    ),
    StoredTable(
        "group_roles_log",
        "Audit log of a group: role changes and who made them, former addresses of its page, and the network accounts it "
        "followed. For a deleted account it contains only the id of an empty row.",
        "",
        Retention.AUDIT,
        OnErasure.KEEP,
        (
            person(ColumnAudience.HOSTS, "user_id acted_by"),
            account(ColumnAudience.HOSTS, "note"),
            plain("id group_id act role_before role_after created_at"),
        ),
        not_exported="the group’s log of what was done in it",
    ),
    StoredTable(
        "group_announcements",
        "Announcements to a group.",
        "author_id = :id",
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.MEMBERS, "author_id removed_by"),
            personal(ColumnAudience.MEMBERS, "text"),
            personal(ColumnAudience.NOBODY, "submission_key"),
            plain("id group_id created_at removed_at"),
        ),
        PersonExport.READABLE,
        remaining_rows="if they removed somebody else’s announcement, that stays recorded, with the id of the empty row",
    ),
    StoredTable(
        "group_calendar_feeds",
        "Secret addresses of a group’s calendar, one per member.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.SELF, "user_id", unique_with="group_id"),
            secret("token_hash"),
            plain("group_id serial created_at"),
        ),
        not_exported="hashes of addresses that work only on this site",
    ),
    StoredTable(
        "group_statements",
        "What records on the network say about groups and members.",
        f"did in {DIDS}",
        Retention.RECORD,
        OnErasure.DELETE,
        (account(ColumnAudience.MEMBERS, "uri did group_uri about refers_to"), plain("saying role")),
        not_exported="what records on the network say about groups",
    ),
    StoredTable(
        "superseded_group_records",
        "Records that a group had in another network account.",
        "",
        Retention.PARENT,
        OnErasure.PARENT,
        (account(ColumnAudience.NOBODY, "uri"), plain("group_id cid created_at is_there")),
        not_exported="records of a group that are still to be removed",
    ),
)

MODERATION: Final = (
    StoredTable(
        "moderation_states",
        "Content and accounts that are hidden or held back, and why.",
        _ABOUT,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.MODERATORS, "decided_by"),
            person(ColumnAudience.MODERATORS, "subject", unique_with=""),
            personal(ColumnAudience.MODERATORS, "reason"),
            plain("kind state since"),
        ),
        not_exported="decisions of this site’s moderators",
        remaining_rows=(
            "a decision about a network account or an account server stays, so that deleting an account does not lift a "
            "block"
        ),
    ),
    StoredTable(
        "reports",
        "Reports to the moderators, by and about people. They stay after they are closed; those of visitors "
        "without an account are deleted a year after the decision.",
        f"reporter_id = :id or {_ABOUT}",
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.MODERATORS, "reporter_id", unique_with="kind subject"),
            personal(ColumnAudience.MODERATORS, "comment subject"),
            unexported(plain("closed_by_act")),
            plain("id kind reason created_at closed_at outcome"),
        ),
        PersonExport.READABLE,
        export_rows="reporter_id = :id",
    ),
    StoredTable(
        "report_addresses",
        "E-mail addresses of visitors who reported something and want to know the decision. A year after a report "
        "without a decision, its address is deleted, too.",
        f"email = {ADDRESS}",
        Retention.SHORT,
        OnErasure.DELETE,
        (personal(ColumnAudience.NOBODY, "email language"), plain("report_id created_at")),
        not_exported="addresses that nobody has confirmed",
    ),
    StoredTable(
        "moderators",
        "People who moderate this site.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (person(ColumnAudience.MODERATORS, "user_id", unique_with=""), plain("named_at")),
        not_exported="a role on this site",
    ),
    StoredTable(
        "moderation_log",
        "All actions of moderators. The database refuses changes. For a deleted account it contains the id of an "
        "empty row, or the DID if the action concerned a network account. The reason is free text by a moderator, "
        "which nobody can remove, so the console asks moderators never to name the person who reported something.",
        "",
        Retention.AUDIT,
        OnErasure.KEEP,
        (
            person(ColumnAudience.MODERATORS, "actor_id"),
            account(ColumnAudience.MODERATORS, "subject"),
            personal(ColumnAudience.MODERATORS, "reason"),
            plain("id at act kind before_state after_state undoes"),
        ),
        not_exported="actions of this site’s moderators, which also concern others",
    ),
    StoredTable(
        "moderation_policy",
        "Limits for new accounts and hosts.",
        "",
        Retention.SITE,
        OnErasure.KEEP,
        (
            plain(
                "id holds_first_events new_account_days new_author_minutes most_events_of_author most_authors_of_host"
                " most_events_of_host most_new_hosts revision"
            ),
        ),
    ),
    StoredTable(
        "remote_authors",
        "Network accounts whose records were received here, and how many lately, to limit floods.",
        f"did in {DIDS}",
        Retention.RECORD,
        OnErasure.DELETE,
        (account(ColumnAudience.NOBODY, "did host"), plain("first_seen_at counted counted_from")),
    ),
    StoredTable(
        "remote_hosts",
        "Account servers from which a record was received. If a server has a single account, its address shows "
        "whose it is.",
        "",
        Retention.SITE,
        OnErasure.KEEP,
        (account(ColumnAudience.NOBODY, "host"), plain("first_seen_at")),
    ),
    StoredTable(
        "labels",
        "Labels of moderation services that this site follows.",
        f"subject in {DIDS} or exists (select 1 from identities i where i.user_id = :id and"
        " labels.subject like 'at://' || i.did || '/%')",
        Retention.RECORD,
        OnErasure.DELETE,
        (
            account(ColumnAudience.EVERYONE, "source subject"),
            plain("value cid negated hides labelled_at expires_at received_at"),
        ),
        not_exported="labels on network accounts and events, which can be received again",
    ),
    StoredTable(
        "labelers",
        "Moderation services that this site follows, and how far they have been read.",
        "",
        Retention.SITE,
        OnErasure.KEEP,
        (account(ColumnAudience.MODERATORS, "did"), plain("cursor state reason changed_at")),
    ),
)

GROUP_TABLES: Final = (*GROUPS, *MODERATION)
