"""Labels of states, records and jobs on the operator's pages."""

from typing import Final

from at_network.circuits import CircuitState
from groundwork.outbox.jobs import JobState
from openmeet.i18n.catalogue import LazyText, lazy
from openmeet.network.firehose.cursors import SourceState
from openmeet.network.ingestion.discrepancies import Discrepancy
from openmeet.network.ingestion.quarantine import FailedStep
from openmeet.network.records.seen import RecordState
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind, PublicationState

DISAGREEMENT_LABELS: Final = {
    Discrepancy.RECORD_MISSING: lazy("A record of a repository is missing on this site"),
    Discrepancy.RECORD_DIFFERS: lazy("A repository has a different version"),
    Discrepancy.RECORD_GONE: lazy("A record is no longer in its repository"),
    Discrepancy.PUBLICATION_LOST: lazy("The record is missing on the account server"),
    Discrepancy.PUBLICATION_DIFFERS: lazy("The record was changed on the account server"),
    Discrepancy.ROW_MISSING: lazy("A record has no event or answer on this site"),
    Discrepancy.ROW_WITHOUT_RECORD: lazy("An event or answer has no known record"),
}

STEP_LABELS: Final = {
    FailedStep.APPLY: lazy("Applying it failed"),
    FailedStep.REPAIR: lazy("Repairing our copy failed"),
    FailedStep.COUNT: lazy("Counting failed"),
}

CIRCUIT_LABELS: Final = {
    CircuitState.CLOSED: lazy("failing"),
    CircuitState.OPEN: lazy("not called (circuit open)"),
    CircuitState.HALF_OPEN: lazy("being tried (circuit half open)"),
}

# States of sources, labellers, records and jobs.
STATE_LABELS: Final[dict[str, LazyText]] = {
    SourceState.FOLLOWING: lazy("following"),
    SourceState.FAILING: lazy("failing"),
    SourceState.STOPPED: lazy("stopped"),
    PublicationState.WITHHELD: lazy("not synced"),
    PublicationState.WAITING: lazy("waiting for something else"),
    PublicationState.DUE: lazy("waiting"),
    PublicationState.SENDING: lazy("being sent"),
    PublicationState.PUBLISHED: lazy("published"),
    PublicationState.RETRYING: lazy("will be retried"),
    PublicationState.BLOCKED: lazy("waiting for their owner"),
    PublicationState.REFUSED: lazy("refused"),
    PublicationState.CONFLICTED: lazy("changed in another app"),
    PublicationState.RETRACTING: lazy("being deleted"),
    PublicationState.RETRACTED: lazy("deleted"),
    JobState.LEASED: lazy("being done"),
    JobState.FAILED: lazy("failed"),
}

SEEN_LABELS: Final = {
    RecordState.MAPPED: lazy("Understood"),
    RecordState.RAW: lazy("Stored unchanged, because they aren’t events or answers"),
    RecordState.PARKED: lazy("Answers waiting for their event"),
    RecordState.TOMBSTONE: lazy("Deleted"),
}

RECORD_LABELS: Final[dict[str, LazyText]] = {
    PublicationKind.EVENT: lazy("Records of events"),
    PublicationKind.RSVP: lazy("Records of answers"),
    PublicationKind.SERIES: lazy("Records of series"),
    PublicationKind.GROUP: lazy("Records of groups"),
    PublicationKind.FORMER_GROUP: lazy("Earlier records of groups"),
    PublicationKind.FORMER_EVENT: lazy("Earlier records of events"),
    PublicationKind.FORMER_SERIES: lazy("Earlier records of series"),
    PublicationKind.MEMBERSHIP: lazy("Member records: which groups they’re in"),
    PublicationKind.ACCEPTANCE: lazy("Group records: who is a member"),
    PublicationKind.GROUP_EVENT: lazy("Group records: which events are theirs"),
}

JOB_LABELS: Final[dict[str, LazyText]] = {
    JobKind.MAIL: lazy("E-mails"),
    JobKind.CUSTODIAL_ACCOUNT: lazy("Accounts to create"),
    JobKind.DELETE_CUSTODIAL_ACCOUNT: lazy("Accounts to delete"),
    JobKind.REFRESH_IDENTITY: lazy("Identities to look up again"),
    JobKind.FETCH_SUBJECT: lazy("Events to read for their answers"),
    JobKind.WAITING_ANSWERS: lazy("Answers from people who can now see the event"),
    JobKind.LEFT_GROUP: lazy("Answers to withdraw after people left a group"),
    JobKind.PROVE_RECORD: lazy("Records to verify"),
    JobKind.COMPARE_ANSWERS: lazy("Answers to compare with their records"),
    JobKind.WEBHOOK: lazy("Webhook deliveries"),
    JobKind.BACKFILL: lazy("Repositories to read"),
    JobKind.DETECT_SERIES: lazy("People whose events may form a series"),
    JobKind.DETECT_FOREIGN_SERIES: lazy("People on other servers whose events may form a series"),
    JobKind.CLAIMED_DATES: lazy("Series records to match with their dates"),
    JobKind.FREED_SEATS: lazy("Waitlists to move up"),
    JobKind.STANDING_ANSWERS: lazy("New dates to add for people who go to all"),
    JobKind.FAN_OUT: lazy("Changes to notify people of"),
    JobKind.MOVE_RECORDS: lazy("People whose records move to another repository"),
    JobKind.RECONCILE: lazy("Repositories to compare"),
    JobKind.CHAT_NEWS: lazy("Chats with new messages"),
    JobKind.MATRIX_ROOM: lazy("Chats to mirror to Matrix"),
    JobKind.MATRIX_PERSON: lazy("People to update in Matrix"),
    JobKind.MATRIX_CALL: lazy("Calls to the Matrix server"),
    JobKind.LATE_CREATE: lazy("Records that couldn’t be written"),
}
