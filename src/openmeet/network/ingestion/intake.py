"""Intake rules: which events of the network are shown at once, which wait, and which need a moderator (design 5.12).

Events of an author with a connection to this site are shown at once: the author has signed in, is in a group, was
invited or approved by a host, is followed by a group, or is trusted by a moderator. The first events of an author
without a connection wait a few minutes, long enough to notice a burst; a scheduled task then shows them unless they are
part of one. After that, events of this author are shown at once, up to a number of events per hour. Events of authors
on a PDS that the operator trusts are shown at once too; while the account is new here, the same hourly limit applies,
because anybody may sign up there.

Every event is stored, also while its author waits. A batch of messages makes four queries, regardless of its number of
events, and each query uses an index.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from groundwork.clock import DAY, MINUTE, Instant
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.telemetry.logs import log
from openmeet.domain.groups.model import INSIDE, roles_sql
from openmeet.domain.moderation import model, newcomers, policy, visibility
from openmeet.domain.moderation.model import ModeratedKind, ModerationPolicy, Subject, SubjectVisibility
from openmeet.domain.moderation.newcomers import EventCount, Newcomer

# Newcomers decided per transaction.
_AT_ONCE = 200

# Authors without a connection to this site. A row in moderation_states means that a decision about the author exists.
_WITHOUT_CONNECTION = f"""
    select i.did, i.pds_url from identities i join users u on u.id = i.user_id
     where i.did in :dids and u.kind = 'shadow'
       and not exists (select 1 from moderation_states t where t.subject in (i.did, u.id)
           and t.state = '{SubjectVisibility.TRUSTED}')
       and not exists (select 1 from group_follows f where f.did = i.did)
       and not exists (select 1 from group_members m where m.user_id = u.id
                                                       and m.role in ({roles_sql(INSIDE)}))
       and not exists (select 1 from attendances a where a.user_id = u.id
                                                     and (a.approved_at is not null
                                                         or a.status in ('invited', 'attended')))
     order by i.did
"""


async def authors_without_connection(reader: Reader, dids: Sequence[str]) -> dict[str, str]:
    """Return the authors without a connection to this site, each with the origin of their PDS, if known."""
    if not dids:
        return {}
    return {row["did"]: row["pds_url"] for row in await reader.fetch(_WITHOUT_CONNECTION, dids=sorted(set(dids)))}


async def receive(tx: Transaction, uris: Mapping[str, Sequence[str]], trusted_origins: frozenset[str]) -> None:
    """Apply the intake rules to new events (URIs by DID). Those that must not be shown yet start to wait.

    ``trusted_origins``: origins of PDSes that the operator trusts; their accounts wait only if they write a burst of
    events.
    """
    authors = await authors_without_connection(tx, list(uris))
    if not authors:
        return
    current = await policy.current(tx)
    met = await newcomers.count_new_events(
        tx, [EventCount(did, model.host_of(pds), len(uris[did])) for did, pds in authors.items()]
    )
    trusted_dids = {did for did, pds in authors.items() if origin_of(pds) in trusted_origins}
    arriving = [Subject(ModeratedKind.DID, one.did) for one in met if one.is_new and one.did not in trusted_dids]
    await visibility.hold(tx, arriving, SubjectVisibility.ARRIVAL)
    new_since = tx.now - current.new_account_days * DAY
    too_fast = [
        one
        for one in met
        if one.counted > current.most_events_of_author
        and (one.did not in trusted_dids or one.first_seen_at > new_since)
    ]
    # All events of a waiting author wait. They are counted when the waiting time is over.
    waiting = await visibility.statuses_of(tx, [one.did for one in too_fast])
    too_many = [one for one in too_fast if one.did not in waiting]
    await _hold_events(tx, [uri for one in too_many for uri in uris[one.did]])
    for one in too_many:
        log.warning("author.too_fast", did=one.did, events=one.counted)


async def _hold_events(tx: Transaction, uris: Sequence[str]) -> None:
    if not uris:
        return
    rows = await tx.fetch("select id from events where record_uri in :uris order by id", uris=list(uris))
    await visibility.hold(tx, [Subject(ModeratedKind.EVENT, row["id"]) for row in rows], SubjectVisibility.BURST)


async def note_host(tx: Transaction, did: str, pds_url: str, trusted_origins: frozenset[str]) -> None:
    """Note a DID's host after its document was read, and end its wait if the operator trusts that host.

    An author who already has too many events by then waits for a moderator.
    """
    is_waited_for = await newcomers.note_host(tx, did, model.host_of(pds_url))
    if is_waited_for and origin_of(pds_url) in trusted_origins:
        current = await policy.current(tx)
        if await newcomers.count_recent_events(tx, did) > current.most_events_of_author:
            await visibility.keep_waiting(tx, [did])
        await visibility.release(tx, [did], SubjectVisibility.ARRIVAL)


async def decide_due(db: Database) -> Counter[str]:
    """Decide about newcomers who have waited long enough, in one scheduled round. Returns how many are now shown, and
    how many wait for a moderator.
    """
    done: Counter[str] = Counter()
    while True:
        async with db.transaction() as tx:
            current = await policy.current(tx)
            since = Instant(tx.now - current.new_author_minutes * MINUTE)
            due = await newcomers.due(tx, since, _AT_ONCE)
            authors = await authors_without_connection(tx, [one.did for one in due])
            bursts = [
                one.did
                for one in due
                if one.did in authors
                and await _is_burst(
                    tx, current, Newcomer(one.did, one.host, one.first_seen_at, one.counted, is_new=False)
                )
            ]
            await visibility.keep_waiting(tx, bursts)
            done["burst"] += len(bursts)
            done["shown"] += await visibility.release(
                tx, sorted({one.did for one in due} - set(bursts)), SubjectVisibility.ARRIVAL
            )
        if len(due) < _AT_ONCE:
            break
    if done.total():
        log.info("newcomers.decided", shown=done["shown"], burst=done["burst"])
    return done


async def _is_burst(reader: Reader, current: ModerationPolicy, newcomer: Newcomer) -> bool:
    authors, events = await newcomers.met_around(
        reader, newcomer.host, newcomer.first_seen_at, current.most_authors_of_host + 1
    )
    hosts = await newcomers.new_hosts_around(reader, newcomer.host, newcomer.first_seen_at, current.most_new_hosts + 1)
    return model.is_burst(current, counted=newcomer.counted, authors=authors, events=events, new_hosts=hosts)


def origin_of(address: str) -> str:
    """Return the origin in normal form (``https://pds.example``). The address of a stream (``wss://…``) gives the
    origin of its server.
    """
    parts = urlsplit(address)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return f"{scheme}://{parts.netloc.lower()}" if parts.netloc else ""
