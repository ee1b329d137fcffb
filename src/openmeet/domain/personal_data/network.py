"""Tables about network records, publishing, jobs and the site itself."""

from typing import Final

from openmeet.domain.personal_data.model import (
    ADDRESS,
    DIDS,
    ColumnAudience,
    OnErasure,
    Retention,
    StoredTable,
    account,
    person,
    personal,
    plain,
    secret,
)

_OWN = "user_id = :id"
_BY_DID = f"did in {DIDS}"


def _of_repository(column: str) -> str:
    """Condition for rows whose URI is in a repository of the person."""
    return f"exists (select 1 from identities i where i.user_id = :id and {column} like 'at://' || i.did || '/%')"


RECORDS: Final = (
    StoredTable(
        "records",
        "Copies of public records on the network, as last seen.",
        _BY_DID,
        Retention.RECORD,
        OnErasure.DELETE,
        (
            account(ColumnAudience.EVERYONE, "uri did subject_uri"),
            personal(ColumnAudience.EVERYONE, "body readable_body"),
            plain(
                "collection rkey epoch rev cid is_verified state reason precedence first_seen_at seen_at version_rev "
                "previous_known_rev readable_rev readable_cid"
            ),
        ),
        not_exported="copies of records in the person’s network account",
    ),
    StoredTable(
        "record_subjects",
        "Locks on records that are being applied. Each row is deleted in the transaction that inserts it.",
        _of_repository("uri"),
        Retention.SHORT,
        OnErasure.DELETE,
        (account(ColumnAudience.NOBODY, "uri"),),
    ),
    StoredTable(
        "repositories",
        "Network accounts, and how far their records have been read.",
        _BY_DID,
        Retention.RECORD,
        OnErasure.DELETE,
        (
            account(ColumnAudience.NOBODY, "did"),
            plain("epoch floor_rev status stale_at synced_at updated_at missed_rev"),
        ),
    ),
    StoredTable(
        "repository_gaps",
        "Changes in a network account that were not received.",
        _BY_DID,
        Retention.RECORD,
        OnErasure.DELETE,
        (account(ColumnAudience.NOBODY, "did"), plain("rev")),
    ),
    StoredTable(
        "backfills",
        "Network accounts whose records are being read completely, and the progress.",
        _BY_DID,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (account(ColumnAudience.SELF, "did"), plain("stage total applied reason asked_at finished_at")),
        not_exported="how far this site has read the person’s network account",
    ),
    StoredTable(
        "merge_decisions",
        "Fields that were changed both here and in another app, and which value won.",
        _of_repository("uri"),
        Retention.RECORD,
        OnErasure.DELETE,
        (
            account(ColumnAudience.HOSTS, "uri"),
            personal(ColumnAudience.HOSTS, "base ours theirs ours_values theirs_values"),
            plain("field theirs_rev ours_revision policy result decided_at reviewed_at choice previous_known_rev"),
        ),
        not_exported="decisions between this site and a record, which is read again",
    ),
    StoredTable(
        "discrepancies",
        "Records whose copy here differs from the one in their network account.",
        _BY_DID,
        Retention.SHORT,
        OnErasure.DELETE,
        (account(ColumnAudience.NOBODY, "uri did"), plain("kind found_at seen_at repaired_at times")),
        not_exported="differences between this site and a network account",
    ),
    StoredTable(
        "quarantined_records",
        "Records that could not be processed.",
        _BY_DID,
        Retention.RECORD,
        OnErasure.DELETE,
        (
            account(ColumnAudience.NOBODY, "uri did"),
            plain("collection rev cid step reason found_at tried_at times"),
        ),
        not_exported="records that could not be read, for the people who run this site",
    ),
    StoredTable(
        "erased_records",
        "Keyed hashes of erased records, so that late messages do not bring them back. They reveal nothing.",
        "",
        Retention.SITE,
        OnErasure.KEEP,
        (secret("hash"), plain("rev erased_at")),
        not_exported="keyed hashes of what was erased",
    ),
)

PUBLISHING: Final = (
    StoredTable(
        "publications",
        "Copies of events and answers in a person’s network account, and the progress of writing them.",
        _OWN,
        Retention.ACCOUNT,
        OnErasure.DELETE,
        (
            person(ColumnAudience.SELF, "user_id"),
            account(ColumnAudience.EVERYONE, "did uri"),
            personal(ColumnAudience.EVERYONE, "chosen_body base_body edits merged"),
            plain(
                "kind subject_id state revision completed_revision chosen_cid chosen_revision base_cid base_rev "
                "was_merged reason attempts merge_rounds writes writes_since due_at lease leased_until edited_at "
                "changed_at is_withdrawn was_deleted_elsewhere earlier_cids needs_recheck deleting_cid awaited_server"
            ),
        ),
        not_exported="records still to be written to the person’s network account",
    ),
    StoredTable(
        "in_flight_creates",
        "New records that were sent to an account server that has not answered yet.",
        _BY_DID,
        Retention.SHORT,
        OnErasure.DELETE,
        (account(ColumnAudience.NOBODY, "uri did"), plain("cid sends last_sent_at")),
        not_exported="what was sent to an account server that has not answered yet",
    ),
    StoredTable(
        "in_flight_updates",
        "Changed records that were sent to an account server that has not answered yet.",
        _BY_DID,
        Retention.SHORT,
        OnErasure.DELETE,
        (account(ColumnAudience.NOBODY, "uri did"), plain("cid replaced_cid sends last_sent_at")),
        not_exported="what was sent to an account server that has not answered yet",
    ),
    StoredTable(
        "superseded_records",
        "Records that an event or a series had in another network account.",
        _of_repository("uri"),
        Retention.PARENT,
        OnErasure.DELETE,
        (account(ColumnAudience.NOBODY, "uri"), plain("kind subject_id is_authors is_there created_at")),
        not_exported="records that are still to be removed from the person’s network account",
    ),
    StoredTable(
        "outbox_jobs",
        "Jobs: e-mails, records, calls. They contain ids of people and records; those for sign-in codes contain the "
        "e-mail address. Texts are read when they are sent.",
        # ``\x1f`` separates the parts of an e-mail job's subject (``outbox.emails``). A custodial account is deleted
        # after its person, by a job that has only the DID. Jobs that remove data from a homeserver also outlive the
        # account.
        "kind <> 'matrix_person' and subject like '%' || cast(:id as text) || '%'"
        f" or replace(subject, '\x1f' || {ADDRESS} || '\x1f', '') <> subject"
        f" or (kind <> 'delete_custodial_account' and (subject in {DIDS} or partition in {DIDS} or exists ("
        "select 1 from identities i where i.user_id = :id and outbox_jobs.subject like 'at://' || i.did || '/%')))",
        Retention.SHORT,
        OnErasure.DELETE,
        (
            personal(ColumnAudience.NOBODY, "subject"),
            account(ColumnAudience.NOBODY, "partition reason_params"),
            plain("kind revision priority state due_at attempts lease leased_until reason_code enqueued_at"),
        ),
        not_exported="jobs that are still to be done",
        remaining_rows=(
            "the job that deletes a network account kept by this site contains its DID, for up to 30 days; the job that "
            "removes messages from a homeserver contains the id of the empty row, until it is completed"
        ),
    ),
    StoredTable(
        "failed_items",
        "Items of scheduled tasks that failed: ids of events, series, messages, photos, groups and chats, of accounts "
        "that are to be deleted, and time zones.",
        "",
        Retention.SHORT,
        OnErasure.EXPIRE,
        (plain("task item attempts next_at failed_at reason"),),
    ),
    StoredTable(
        "fan_outs",
        "Notifications that are still to be sent to many people.",
        "",
        Retention.SHORT,
        OnErasure.EXPIRE,
        (personal(ColumnAudience.NOBODY, "notice"), plain("id subject_id audience resume_after created_at")),
        not_exported="people who are still to be notified",
    ),
)

SITE: Final = (
    StoredTable(
        "circuit_breakers",
        "Account servers that failed and are not called for a while.",
        "",
        Retention.SHORT,
        OnErasure.EXPIRE,
        (account(ColumnAudience.NOBODY, "service"), plain("failures pauses open_until reason changed_at")),
    ),
    StoredTable(
        "oauth_client_keys",
        "Keys with which this site signs requests.",
        "",
        Retention.SITE,
        OnErasure.KEEP,
        (secret("sealed"), plain("key_id created_at")),
    ),
    StoredTable(
        "attendance_proof_keys",
        "Keys with which this site signs proofs of attendance. Public halves stay, so that old proofs can be verified.",
        "",
        Retention.SITE,
        OnErasure.KEEP,
        (secret("sealed"), plain("key_id public_key created_at revoked_at")),
    ),
    StoredTable(
        "service_tokens",
        "Access tokens of services that operators run.",
        "",
        Retention.SITE,
        OnErasure.KEEP,
        (secret("token_hash"), plain("id name scopes created_at last_used_at revoked_at")),
    ),
    StoredTable(
        "database_periods",
        "When this database was in use. Between two periods it was restored from a backup.",
        "",
        Retention.SITE,
        OnErasure.KEEP,
        (plain("id began_at alive_at"),),
    ),
    StoredTable(
        "feature_flags",
        "Features that are turned on.",
        "",
        Retention.SITE,
        OnErasure.KEEP,
        (plain("name is_on changed_at"),),
    ),
    StoredTable(
        "feature_flag_changes",
        "Log of operators who turned features on or off, and why.",
        "",
        Retention.AUDIT,
        OnErasure.KEEP,
        (personal(ColumnAudience.NOBODY, "changed_by why"), plain("id name is_on changed_at")),
    ),
    StoredTable(
        "legacy_runs",
        "Runs of the import from the first OpenMeet.",
        "",
        Retention.SITE,
        OnErasure.KEEP,
        (plain("id source zone state expected started_at finished_at"),),
    ),
    StoredTable(
        "legacy_rows",
        "Mapping between rows of the first OpenMeet and rows here.",
        "new_id = :id",
        Retention.SITE,
        OnErasure.KEEP,
        (personal(ColumnAudience.NOBODY, "old_id new_id"), plain("run_id kind")),
        not_exported="mapping between an older database and this one",
        remaining_rows="it points to the empty row, so that an import that is continued does not bring the person back",
    ),
    StoredTable(
        "schema_revision_openmeet",
        "The revision of the database schema.",
        "",
        Retention.SITE,
        OnErasure.KEEP,
        (plain("version_num"),),
    ),
)

NETWORK_TABLES: Final = (*RECORDS, *PUBLISHING, *SITE)
