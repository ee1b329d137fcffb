"""What ``/operating`` shows: the problems that need an operator, the parts of the synchronization, and labels of states,
records and jobs. Pure functions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.clock import MINUTE, Instant
from groundwork.outbox.jobs import JobState
from openmeet.domain.chat.mirroring import MirroredRoomOverview
from openmeet.domain.places.geocoder import Geocoder
from openmeet.i18n.catalogue import LazyText, gettext, lazy, ngettext
from openmeet.i18n.formatting import ago, capital
from openmeet.i18n.reasons.messages import explain
from openmeet.network.firehose.cursors import SourceState
from openmeet.network.ingestion.discrepancies import Discrepancy, StoredDiscrepancy
from openmeet.network.ingestion.quarantine import FailedStep
from openmeet.network.records.seen import RecordState
from openmeet.network.status import CircuitState, SyncStatus
from openmeet.outbox.kinds import JOB_LABELS
from openmeet.outbox.publications import PublicationKind, PublicationState

# The same limit as on the public status page. Retries and short outages take only minutes.
LATE: Final = 15 * MINUTE
DISAGREEMENT_LABELS: Final = {
    Discrepancy.RECORD_MISSING: lazy("A record of a repository is missing on this site"),
    Discrepancy.RECORD_DIFFERS: lazy("A repository has a different version"),
    Discrepancy.RECORD_GONE: lazy("A record is no longer in its repository"),
    Discrepancy.PUBLICATION_LOST: lazy("The record is missing on the account server"),
    Discrepancy.PUBLICATION_DIFFERS: lazy("The record was changed on the account server"),
    Discrepancy.ROW_MISSING: lazy("A record has no event or answer on this site"),
    Discrepancy.ROW_DIFFERS: lazy("What this site shows differs from the record"),
    Discrepancy.ROW_WITHOUT_RECORD: lazy("An event or answer has no known record"),
}
STEP_LABELS: Final = {
    FailedStep.APPLY: lazy("Applying it failed"),
    FailedStep.REPAIR: lazy("Repairing our copy failed"),
    FailedStep.APPLY_AWAITING: lazy("The answer couldn’t be applied"),
}
CIRCUIT_LABELS: Final = {
    CircuitState.CLOSED: lazy("failing"),
    CircuitState.OPEN: lazy("not called (circuit open)"),
    CircuitState.HALF_OPEN: lazy("being tried (circuit half open)"),
}
# States of sources, labelers, records and jobs.
STATE_LABELS: Final[dict[str, LazyText]] = {
    SourceState.FOLLOWING: lazy("following"),
    SourceState.FAILING: lazy("failing"),
    SourceState.STOPPED: lazy("stopped"),
    PublicationState.WITHHELD: lazy("only here"),
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
    RecordState.AWAITS_EVENT: lazy("Answers waiting for their event"),
    RecordState.TOMBSTONE: lazy("Deleted"),
}
RECORD_LABELS: Final[dict[str, LazyText]] = {
    PublicationKind.EVENT: lazy("Records of events"),
    PublicationKind.RSVP: lazy("Records of answers"),
    PublicationKind.SERIES: lazy("Records of series"),
    PublicationKind.GROUP: lazy("Records of groups"),
    PublicationKind.SUPERSEDED_GROUP: lazy("Earlier records of groups"),
    PublicationKind.SUPERSEDED_EVENT: lazy("Earlier records of events"),
    PublicationKind.SUPERSEDED_SERIES: lazy("Earlier records of series"),
    PublicationKind.MEMBERSHIP: lazy("Member records: which groups they’re in"),
    PublicationKind.ACCEPTANCE: lazy("Group records: who is a member"),
    PublicationKind.GROUP_EVENT: lazy("Group records: which events are theirs"),
}


@dataclass(frozen=True, slots=True)
class OperatorNeed:
    """A problem that needs an operator. ``icon`` is a name in ``ui/icons.jinja``. ``path`` is the page where the
    operator can solve the problem.
    """

    icon: str
    title: str
    path: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the synchronization. ``mark`` is empty if all is well, ``amber`` if not, and ``off`` if it is switched
    off. ``path`` links to its details.
    """

    title: str
    words: str
    mark: str = ""
    path: str = ""


def needs_of(
    status: SyncStatus,
    unreachable: Sequence[str],
    mirrored: Sequence[MirroredRoomOverview],
    geocoder: Geocoder | None = None,
) -> list[OperatorNeed]:
    """The problems that need an operator, most urgent first. ``unreachable`` lists databases that do not respond. Tasks
    of hosts, such as conflicts, are not included.
    """
    return [
        *_lasting_problems(status, unreachable),
        *_failed_items(status, mirrored),
        *_geocoder_needs(geocoder),
        *_late_items(status),
    ]


def _geocoder_needs(geocoder: Geocoder | None) -> list[OperatorNeed]:
    if geocoder is None or geocoder.state != "fails":
        return []
    title = gettext("%(name)s isn’t answering", name=geocoder.host)
    detail = gettext(
        "Without it, people can find towns but not streets or venues. %(reason)s", reason=explain(geocoder.failure)
    )
    return [OperatorNeed("globe", title, "#parts", detail)]


def _lasting_problems(status: SyncStatus, unreachable: Sequence[str]) -> list[OperatorNeed]:
    """Problems that last until an operator acts."""
    needs = [
        OperatorNeed("alert", gettext("%(name)s isn’t answering", name=capital(name)), path="#away")
        for name in unreachable
    ]
    if status.queue is None:
        needs.append(OperatorNeed("box", gettext("The broker isn’t answering"), "#queue", gettext("Nothing is lost.")))
    elif status.queue.dead:
        count = status.queue.dead
        title = ngettext("%(number)s message failed", "%(number)s messages failed", count)
        needs.append(OperatorNeed("box", title, path="/operating/dead-letters"))
    unread = [
        (one.url, one.reason, "globe", "#sources") for one in status.sources if one.state is not SourceState.FOLLOWING
    ]
    unread += [
        (one.did, one.reason, "flag", "#labelers") for one in status.labelers if one.state != SourceState.FOLLOWING
    ]
    needs += [
        OperatorNeed(icon, gettext("We can’t read %(name)s", name=name), path, explain(reason))
        for name, reason, icon, path in unread
    ]
    return needs


def _failed_items(status: SyncStatus, mirrored: Sequence[MirroredRoomOverview]) -> list[OperatorNeed]:
    """Single items that failed. Everything else continues."""
    needs = [
        OperatorNeed(
            "alert", gettext("%(kind)s: %(number)s failed", kind=JOB_LABELS[job.kind], number=job.number), path="#jobs"
        )
        for job in status.jobs
        if job.state == JobState.FAILED
    ]
    if count := len(status.failing_servers):
        title = ngettext("%(number)s server failing", "%(number)s servers failing", count)
        needs.append(OperatorNeed("globe", title, "#servers", gettext("We’ll keep trying.")))
    if count := sum(one.number for one in status.publications if one.state == PublicationState.REFUSED):
        title = ngettext("%(number)s record was refused", "%(number)s records were refused", count)
        needs.append(OperatorNeed("box", title, "#refused", gettext("Their owners see why, too.")))
    if count := status.quarantined:
        title = ngettext("%(number)s record couldn’t be read", "%(number)s records couldn’t be read", count)
        needs.append(OperatorNeed("box", title, path="/operating/put-aside"))
    if count := sum(status.discrepancies.values()):
        title = ngettext("%(number)s difference is open", "%(number)s differences are open", count)
        needs.append(OperatorNeed("sync", title, path="#disagreements"))
    if count := sum(bool(one.status.error) for one in mirrored):
        title = ngettext("%(number)s chat isn’t mirrored", "%(number)s chats aren’t mirrored", count)
        needs.append(OperatorNeed("chat", title, path="#matrix"))
    return needs


def _late_items(status: SyncStatus) -> list[OperatorNeed]:
    """Items that have waited longer than retries usually take."""
    late = Instant(status.now - LATE)
    needs = [
        OperatorNeed(
            "clock",
            gettext("%(kind)s: %(number)s waiting", kind=words[one.kind], number=one.number),
            path,
            gettext("The oldest was due %(when)s.", when=ago(one.oldest_at, status.now)),
        )
        for counted, words, path in (
            (status.jobs, JOB_LABELS, "#jobs"),
            (status.publications, RECORD_LABELS, "#publications"),
        )
        for one in counted
        if one.state in {JobState.DUE, PublicationState.DUE} and one.oldest_at < late
    ]
    if status.queue is not None and status.queue.oldest_at is not None and status.queue.oldest_at < late:
        title = ngettext("%(number)s message is waiting", "%(number)s messages are waiting", status.queue.waiting)
        detail = gettext("The oldest came %(when)s.", when=ago(status.queue.oldest_at, status.now))
        needs.append(OperatorNeed("clock", title, "#queue", detail))
    return needs


def parts_of(
    status: SyncStatus, disagreements: Sequence[StoredDiscrepancy], conflicts: int, geocoder: Geocoder | None = None
) -> list[Part]:
    """The state of each part, in a few words. ``conflicts`` is the number of merge decisions that no host has reviewed."""
    failed = sum(one.number for one in status.jobs if one.state == JobState.FAILED)
    opened = sum(one.repaired_at is None for one in disagreements)
    return [
        _sources_part(status),
        _queue_part(status),
        _part(
            gettext("Other servers"),
            len(status.failing_servers),
            ngettext("%(number)s failing", "%(number)s failing", len(status.failing_servers)),
            gettext("All servers accept our requests."),
            "#servers",
        ),
        _part(
            gettext("Jobs"),
            failed,
            ngettext("%(number)s failed", "%(number)s failed", failed),
            gettext("None failed."),
            "#jobs",
        ),
        _part(
            gettext("Reading repositories"),
            status.quarantined,
            ngettext("%(number)s quarantined", "%(number)s quarantined", status.quarantined),
            gettext("Every record was read."),
            "/operating/put-aside",
        ),
        _part(
            gettext("Daily comparison"),
            opened,
            ngettext("%(number)s open", "%(number)s open", opened),
            gettext("All repaired.") if disagreements else gettext("No differences in 30 days."),
            "#disagreements",
        ),
        Part(
            gettext("Changed in two places"),
            ngettext("%(number)s waiting for its host", "%(number)s waiting for their hosts", conflicts)
            if conflicts
            else gettext("No decisions are waiting for a host."),
            path="#conflicts" if conflicts else "",
        ),
        *_geocoder_part(geocoder),
    ]


def _geocoder_part(geocoder: Geocoder | None) -> list[Part]:
    if geocoder is None:
        return []
    words = {
        "answers": gettext("%(name)s answers.", name=geocoder.host),
        "fails": gettext("%(name)s isn’t answering.", name=geocoder.host),
        "unknown": gettext("%(name)s hasn’t been asked yet.", name=geocoder.host),
    }
    return [Part(gettext("Streets and venues"), words[geocoder.state], "amber" if geocoder.state == "fails" else "")]


def _sources_part(status: SyncStatus) -> Part:
    title = gettext("Sources")
    if not status.sources:
        return Part(title, gettext("None is set up. The site only knows what people do here."), "off")
    read = sum(one.state is SourceState.FOLLOWING for one in status.sources)
    words = gettext("%(read)s of %(number)s read", read=read, number=len(status.sources))
    return Part(title, words, "" if read == len(status.sources) else "amber", "#sources")


def _queue_part(status: SyncStatus) -> Part:
    title = gettext("Queue")
    if status.queue is None:
        return Part(title, gettext("It isn’t answering."), "amber", "#queue")
    dead = status.queue.dead
    return _part(
        title,
        dead,
        ngettext("%(number)s failed", "%(number)s failed", dead),
        gettext("None failed."),
        "#queue",
    )


def _part(title: str, number: int, problem: str, well: str, path: str) -> Part:
    return Part(title, problem, "amber", path) if number else Part(title, well)
