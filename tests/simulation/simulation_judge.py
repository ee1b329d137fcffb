"""Conditions at the end of a simulation, computed from the content of repositories and from what people remember.

The expected result does not depend on OpenMeet's logic or code.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tests.simulation.oracle import EVENT, RSVP, Change, expect, moment_of
from tests.simulation.simulation_audiences import (
    check_blocks,
    check_groups,
    check_superseded,
    versions_until,
    was_blocked,
)
from tests.simulation.simulation_memory import Person, Sort

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation
    from tests.simulation.simulation_facts import Facts

# For each status in a record, the possible statuses on OpenMeet: the host gives the places, and an offer that is not
# accepted expires.
STANDS_FOR = {
    "going": {"attending", "waitlisted", "pending", "invited"},
    "interested": {"interested"},
    "notgoing": {"declined"},
}
# The statuses that are written to repositories. The others stay on OpenMeet.
TOLD = {"attending": "going", "interested": "interested", "declined": "notgoing"}
# The stored reason why a record that its owner withdrew is not published.
WITHDRAWN = '{"code":"publication.withdrawn","params":{}}'
# The kind of the publications of superseded records.
FORMER_EVENT = "former_event"
# The fields that a host gives an event, and their names in records.
GIVEN = {"title": "name", "description": "description"}


def check_end(simulation: "Simulation", facts: "Facts") -> None:
    """Check all conditions at the end."""
    expect(not facts.dead_letters, f"dead letters: {facts.dead_letters}")
    expect(not facts.given_up, f"given up: {facts.given_up}")
    expect(not facts.quarantined, f"quarantined: {facts.quarantined}")
    # The record of an earlier owner is not written again if it is gone.
    refused = [
        dict(row) for (kind, _), row in facts.publications.items() if row["state"] == "refused" and kind != FORMER_EVENT
    ]
    expect(not refused, f"refused: {refused}")
    _check_announced(simulation, facts)
    _check_events(simulation, facts)
    _check_given(simulation, facts)
    _check_answers(simulation, facts)
    _check_last_words(simulation, facts)
    _check_consent(simulation, facts)
    _check_own_records(simulation, facts)
    _check_foreign_fields(simulation, facts)
    _check_one_record(simulation, facts)
    _check_homes(simulation, facts)
    _check_gone(simulation, facts)
    check_blocks(facts)
    check_superseded(facts)
    check_groups(facts)


def _person_of(simulation: "Simulation", user_id: str) -> Person | None:
    return next((one for one in simulation.people.values() if one.caller and one.caller.user_id == user_id), None)


def _may_publish(simulation: "Simulation", facts: "Facts", user_id: str) -> bool:
    """Whether the user consents to publishing and has a repository."""
    person = _person_of(simulation, user_id)
    return (
        person is not None
        and person.agrees
        and any(row["user_id"] == user_id and row["kind"] != "shadow" for row in facts.identities.values())
    )


def _own_revs(simulation: "Simulation") -> dict[str, set[str]]:
    """The commits that people's own applications made, by DID. All others were made by OpenMeet."""
    return {one.application.did: one.application.revs for one in simulation.people.values() if one.application}


def _is_of_openmeet(simulation: "Simulation", revs: dict[str, str], uri: str) -> bool:
    """Whether OpenMeet made the commit of this record, and nobody has restored the record from a copy since."""
    own = _own_revs(simulation).get(uri.split("/")[2], set())
    return uri in revs and revs[uri] not in own and uri not in simulation.memory.restored


def _check_announced(simulation: "Simulation", facts: "Facts") -> None:
    """Check that the announcements of each repository add up to its content, except where an old copy was imported."""
    newest: dict[str, Change] = {}
    for change in facts.changes:
        if change.uri not in newest or change.rev > newest[change.uri].rev:
            newest[change.uri] = change
    turned_back = {one.application.did for one in simulation.people.values() if one.application and one.has_turned_back}
    for did in facts.held.keys() - turned_back - simulation.recreated:
        heard = {uri: one.value for uri, one in newest.items() if one.did == did and one.value is not None}
        there = {uri: one.value for uri, one in facts.records.items() if one.did == did}
        expect(heard == there, f"{did} announced other records than it contains: {sorted(heard.keys() ^ there.keys())}")


def _check_events(simulation: "Simulation", facts: "Facts") -> None:
    """Check that each existing event record is one event on OpenMeet, and that each public event of a person who
    consented has a record.
    """
    here = {row["record_uri"]: row for row in facts.events.values() if row["record_uri"] is not None}
    for uri, change in facts.records.items():
        if change.collection != EVENT:
            continue
        row = here.get(uri)
        if uri in facts.superseded and (row is None or facts.superseded[uri]["is_authors"]):
            continue  # of an earlier owner; one that they wrote with their own application is deleted only by them
        expect(row is not None, f"the record {uri} has no event on OpenMeet")
        assert row is not None
        expect(
            row["removed_at"] is None and row["deleted_at"] is None,
            f"{uri} exists, but its event is removed on OpenMeet",
        )
    for row in facts.events.values():
        if row["removed_at"] is not None or row["deleted_at"] is not None:
            continue
        if row["record_uri"] is not None:
            expect(
                row["record_uri"] in facts.records, f"{row['record_uri']} is deleted, but its event exists on OpenMeet"
            )
        is_queued = row["visibility"] == "public" and _may_publish(simulation, facts, row["author_id"])
        publication = facts.publications.get(("event", row["id"]))
        # If an event was cancelled while its record was deleted by another app, its host keeps it off the network. So
        # does a host who withdraws the record.
        is_kept_here = publication is not None and (publication["reason"] == WITHDRAWN or publication["is_withdrawn"])
        if is_queued and not row["is_read_only"] and not is_kept_here:
            expect(
                row["record_uri"], f"{row['id']} is public and was never published: {publication and dict(publication)}"
            )
        # An event that its author wrote in another app may be restricted here and stay public there, also with another
        # owner. An event that was created here may not.
        is_made_here = row["origin"] == "here"
        if is_made_here and row["visibility"] == "private" and row["record_uri"] is not None:
            is_of_another_app = row["id"] in simulation.memory.handed_over and not _is_of_openmeet(
                simulation, facts.first_revs, row["record_uri"]
            )
            expect(is_of_another_app, f"{row['id']} is private and public")


def _check_given(simulation: "Simulation", facts: "Facts") -> None:
    """Check that the text that a host last gave an event on OpenMeet is shown until it has been in the record. After
    that, the record decides, as it was before its owner handed the event over.

    Text is never lost because somebody else edited the same field (by design, text typed by hand is kept). So text that
    was typed on OpenMeet and never sent is shown, however the record changed in the meantime.
    """
    said_by_records = sorted([*facts.changes, *simulation.memory.brought], key=lambda one: one.rev)
    uris: dict[str, list[str]] = {}
    for uri, ids in simulation.memory.ids.items():
        for event_id in ids:
            uris.setdefault(event_id, []).append(uri)
    for row in facts.events.values():
        if row["removed_at"] is not None or row["deleted_at"] is not None:
            continue
        versions = [one for one in said_by_records if one.uri in uris.get(row["id"], []) and one.value is not None]
        record = facts.records.get(row["record_uri"] or "")
        if record is not None and record.uri in facts.superseded:
            versions = versions_until(facts.superseded[record.uri]["created_at"], versions)
            record = next((one for one in reversed(versions) if one.uri == record.uri), None)
        for column, name in GIVEN.items():
            said = [str((one.value or {}).get(name, "")) for one in versions]
            given = simulation.memory.given.get(row["id"], {}).get(column)
            stands = None if record is None else str((record.value or {}).get(name, ""))
            allowed = words_allowed(said, given, stands)
            shown = row[column] or ""
            expect(shown in allowed, f"{row['id']} has the {column} {shown!r} on OpenMeet, not {sorted(allowed)}")
            is_told = row["visibility"] == "public" and _may_publish(simulation, facts, row["author_id"])
            if record is not None and is_told and not row["is_read_only"]:
                there = str((record.value or {}).get(name, ""))
                expect(shown == there, f"{record.uri} has the {column} {there!r}, OpenMeet shows {shown!r}")


def words_allowed(said: Sequence[str], given: str | None, stands: str | None) -> set[str]:
    """The texts that may be shown for an event.

    ``given``: the text that was last typed on OpenMeet. ``said``: the texts of the record's versions in order,
    including those of imported copies. ``stands``: the text of the current record; None if there is none.
    """
    if given is not None and given not in said:
        return {given}
    if stands is not None:
        return {stands}
    # The record was retracted. OpenMeet may or may not have received versions that were written or imported before
    # that.
    since = 0 if given is None else said.index(given)
    return {*said[since:], "" if given is None else given}


def _effective(facts: "Facts") -> dict[tuple[str, str], list[Change]]:
    """The current answers of each repository to each event."""
    found: dict[tuple[str, str], list[Change]] = {}
    for change in facts.records.values():
        if change.collection == RSVP and change.value is not None:
            found.setdefault((change.did, change.value["subject"]["uri"]), []).append(change)
    return found


def _answers_by_event(facts: "Facts", living: Mapping[str, Any]) -> dict[tuple[str, str], list[Change]]:
    """The current answers of each repository to each event, whichever of its records they name."""
    ids = {uri: row["id"] for uri, row in living.items()}
    former = {uri: event_id for uri, event_id in facts.superseded_events.items() if event_id in ids.values()}
    found: dict[tuple[str, str], list[Change]] = {}
    for (did, uri), records in _effective(facts).items():
        event_id = ids.get(uri) or (former.get(uri) if uri in facts.records else None)
        if event_id is not None:
            found.setdefault((did, event_id), []).extend(records)
    return found


def _word(change: Change) -> str:
    return str((change.value or {})["status"].rpartition("#")[2])


def _check_answers(simulation: "Simulation", facts: "Facts") -> None:
    """Check that an answer's record and its row agree, and that every answer that may be published is."""
    by_person = {(row["user_id"], row["event_id"]): row for row in facts.attendances}
    living = {
        row["record_uri"]: row
        for row in facts.events.values()
        if row["record_uri"] in facts.records and row["removed_at"] is None and row["deleted_at"] is None
    }
    for (did, event_id), records in _answers_by_event(facts, living).items():
        event, uri = facts.events[event_id], records[0].value["subject"]["uri"]
        identity = facts.identities.get(did)
        if identity is not None and was_blocked(simulation.memory, event, identity["user_id"]):
            continue
        row = None if identity is None else by_person.get((identity["user_id"], event["id"]))
        waits = all(facts.seen[one.uri]["state"] == "awaits_event" for one in records if one.uri in facts.seen)
        if row is None and event["visibility"] == "private" and did != event["record_did"]:
            # An answer from the network grants no access: it waits until its author may see the event.
            expect(waits, f"the answer of {did} to {uri} neither counts nor waits")
            continue
        expect(identity is not None, f"OpenMeet does not know {did}, who answered {uri}")
        assert identity is not None
        person = _person_of(simulation, identity["user_id"])
        if person is not None and not person.agrees:
            continue  # this status is not published, so the two may differ
        expect(row is not None, f"OpenMeet does not have the answer of {did} to {uri}")
        assert row is not None
        # If there are several records, one of them counts. The database says which; it must be one of these.
        counted = [one for one in records if one.uri == row["record_uri"]] or records
        fits = any(row["status"] in STANDS_FOR[_word(one)] for one in counted)
        # Somebody who left the group of a private event no longer goes. A later record waits until they may see it again.
        is_untold = row["status"] not in TOLD or (event["visibility"] == "private" and waits)
        expect(fits or is_untold, f"{counted[0].uri} says {_word(counted[0])}, but on OpenMeet it is {row['status']}")
    for row in facts.attendances:
        event = facts.events[row["event_id"]]
        if row["record_uri"] is not None and event["record_uri"] in living:
            expect(row["record_uri"] in facts.records, f"{row['record_uri']} counts here and is gone there")
        publication = facts.publications.get(("rsvp", row["id"]))
        if event["visibility"] == "private" and publication is not None and publication["uri"] in facts.records:
            is_ours = _is_of_openmeet(simulation, facts.first_revs, publication["uri"])
            expect(not is_ours, f"{event['id']} is private, and the answer {publication['uri']} is public")
        if event["record_uri"] not in living or event["visibility"] != "public" or row["status"] not in TOLD:
            continue
        if publication is None or not _may_publish(simulation, facts, row["user_id"]):
            continue
        if publication["is_withdrawn"] or was_blocked(simulation.memory, event, row["user_id"]):
            continue
        if publication["was_deleted_elsewhere"] or (publication["state"] == "withheld" and row["status"] == "declined"):
            continue  # the person deleted the record, which also means "no"
        expect(
            row["record_uri"] in facts.records,
            f"the answer {row['id']} ({row['status']}) was never published: {dict(publication)}",
        )
        told = facts.records[row["record_uri"]]
        expect(_word(told) == TOLD[row["status"]], f"{told.uri} says {_word(told)}, here it is {row['status']}")
        about = (told.value or {})["subject"]["uri"]
        is_of_event = about == event["record_uri"] or (
            # Only its author changes the record of another app, which may name the record of an earlier owner.
            facts.superseded_events.get(about) == event["id"]
            and not _is_of_openmeet(simulation, facts.first_revs, told.uri)
        )
        expect(is_of_event, f"{told.uri} is about {about}, and the event is {event['record_uri']}")


def _check_last_words(simulation: "Simulation", facts: "Facts") -> None:
    """Check that the last answer of a person counts, whether it was given on OpenMeet or in another app."""
    memory = simulation.memory
    last: dict[tuple[str, str], set[str] | None] = {}
    # Records that belonged to one event and then to another. An answer that an application wrote to such a record
    # counts for the second event. It is uncertain whether the first event received it, and whether the second still has
    # it, because it may have been retracted with the first. The current content was checked above.
    open_ended: set[tuple[str, str]] = set()
    for said in memory.answers:
        name = memory.name_of(said)
        key = (name, memory.id_of(said.about))
        several_events = memory.ids.get(said.about, [])
        if len(several_events) > 1:
            open_ended |= {(name, event_id) for event_id in several_events}
        before = last.get(key, set())
        is_about_something_gone = said.about.startswith("at://") and said.about not in facts.records
        if said.word is None or is_about_something_gone or (not said.is_news and before is None):
            last[key] = None
        else:
            # Repeating the current answer changes nothing. It is uncertain whether the repetition was received before
            # or after other answers.
            last[key] = {said.word} if said.is_news else {said.word, *(before or ())}
    by_person = {(row["user_id"], row["event_id"]): row for row in facts.attendances}
    users = {person.name: person.caller.user_id for person in simulation.people.values() if person.caller}
    users |= {
        person.name: facts.identities[person.application.did]["user_id"]
        for person in simulation.people.values()
        if person.application and person.application.did in facts.identities
    }
    # If a person has several records about an event, deleting one makes another count: the records decide, not the
    # clock.
    several = {
        (facts.identities[did]["user_id"], memory.id_of(uri)) for did, uri in facts.several if did in facts.identities
    }
    read = _found_by_reading(simulation, facts)
    for (name, event_id), words in last.items():
        event = facts.events.get(event_id)
        if (users.get(name), event_id) in several or (name, event_id) in open_ended:
            continue
        if words is None or event is None or event["removed_at"] or event["deleted_at"] or name in memory.erased:
            continue
        if was_blocked(memory, event, users.get(name, "")):
            continue
        if (event["group_id"], users.get(name, "")) in memory.left:
            continue  # leaving ended the answer if the event was for members only at any time since
        row = by_person.get((users.get(name, ""), event_id))
        if row is None and event["visibility"] == "private":
            continue  # a waiting record, which was checked above
        status = row["status"] if row is not None else "nothing"
        found_by_reading = read.get((users.get(name), event_id), set())
        if None in found_by_reading:
            continue
        allowed = set().union(*(STANDS_FOR[word] for word in words | found_by_reading if word is not None))
        expect(status in allowed, f"{name} said {sorted(words)} last to {event_id}, here it is {status}")


def _found_by_reading(simulation: "Simulation", facts: "Facts") -> dict[tuple[str, str], set[str | None]]:
    """By (user, event), the statuses in commits that the stream did not deliver. None means a deletion.

    OpenMeet does not know when such a commit was made. It reads the repository, treats the content as of that later
    moment, and lets it decide (by design: "the latest answer", by the known rev).
    """
    subjects = {
        change.uri: change.value["subject"]["uri"]
        for change in facts.changes
        if change.collection == RSVP and change.value
    }
    found: dict[tuple[str, str], set[str | None]] = {}
    for change in facts.changes:
        if change.collection != RSVP or (change.did, change.rev) not in simulation.deployment.unseen:
            continue
        if change.did in facts.identities:
            key = (facts.identities[change.did]["user_id"], simulation.memory.id_of(subjects.get(change.uri, "")))
            found.setdefault(key, set()).add(None if change.value is None else _word(change))
    # Only its commit announces an imported copy. If the stream also lost that commit, a later reading dates the changes
    # to the next commit that is received, and answers given on OpenMeet in between may or may not count.
    for did, rev, uri in simulation.memory.unannounced:
        if (did, rev) in simulation.deployment.unseen and did in facts.identities:
            found.setdefault((facts.identities[did]["user_id"], simulation.memory.id_of(uri)), set()).add(None)
    return found


def _check_consent(simulation: "Simulation", facts: "Facts") -> None:
    """Check that everything that OpenMeet wrote was written while the person consented, and that there is no trace of
    people who never consented (invariant 11).
    """
    by_did = {
        row["did"]: person
        for row in facts.identities.values()
        if (person := _person_of(simulation, row["user_id"])) is not None
    }
    own = _own_revs(simulation)
    for one in facts.announced:
        person = by_did.get(one.did)
        written = [path for action, path in one.operations if action != "delete"]
        if person is None or one.rev in own.get(one.did, ()) or not written:
            continue
        # A delayed write counts from when it was sent. A later check ensures that its record does not stay.
        sent_at = simulation.deployment.late.get((one.did, one.rev), moment_of(one.rev))
        expect(person.agreed_at(sent_at), f"{written} of {person.name} was published without consent")
    for person in simulation.people.values():
        has_joined = person.name in simulation.memory.joined.values()
        if person.caller and not person.consents and person.sort is Sort.EMAIL and not has_joined:
            traces = [did for did, row in facts.identities.items() if row["user_id"] == person.caller.user_id]
            expect(not traces, f"{person.name} never agreed and has {traces}")


def _check_own_records(simulation: "Simulation", facts: "Facts") -> None:
    """Check that every record that OpenMeet wrote last belongs to one of its publications, and that the record is
    allowed to exist.

    So a record that arrived late under an abandoned key has been deleted again, and a retracted record was not mistaken
    for one that its author wrote.
    """
    published = {row["uri"]: (key, row) for key, row in facts.publications.items() if row["uri"] is not None}
    for uri, change in facts.records.items():
        if not _is_of_openmeet(simulation, facts.last_revs, uri):
            continue
        (kind, subject), row = published.get(uri, (("", ""), None))
        expect(row is not None, f"{uri} was written by OpenMeet, and there is no publication of it here")
        assert row is not None
        owner = row["user_id"] if kind == FORMER_EVENT else _owner(facts, kind, subject)
        person = None if owner is None else _person_of(simulation, owner)
        # Records that people wrote with their own application are deleted only by them.
        if _is_of_openmeet(simulation, facts.first_revs, uri):
            expect(person is not None and person.agrees, f"{uri} is public, and its person does not agree: {dict(row)}")
            expect(not row["is_withdrawn"], f"{uri} is public, and its person withdrew it: {dict(row)}")
            if kind == FORMER_EVENT:
                continue  # see check_superseded
            event = facts.events[subject if kind == "event" else _event_of(facts, subject)]
            # The author made the event public in another app. On OpenMeet it is only unlisted.
            is_open = event["visibility"] == "unlisted" and event["origin"] != "here" and kind == "rsvp"
            is_public = event["visibility"] == "public" or is_open
            expect(is_public, f"{uri} is public, and {event['id']} is {event['visibility']}")
            expect(event["deleted_at"] is None, f"{uri} is public, and {event['id']} was deleted")
        expect(
            kind in ({"event", FORMER_EVENT} if change.collection == EVENT else {"rsvp"}),
            f"{uri} is published as {kind}",
        )


def _owner(facts: "Facts", kind: str, subject: str) -> str | None:
    if kind == "event":
        return str(facts.events[subject]["author_id"])
    return next((str(row["user_id"]) for row in facts.attendances if row["id"] == subject), None)


def _event_of(facts: "Facts", attendance_id: str) -> str:
    return next(str(row["event_id"]) for row in facts.attendances if row["id"] == attendance_id)


def _check_foreign_fields(simulation: "Simulation", facts: "Facts") -> None:
    """Check that fields of another application stay as long as the record exists (invariant 6). A later record under
    the same key counts as a new one.
    """
    for uri, theme in simulation.memory.themes.items():
        versions = [one.value for one in facts.changes if one.uri == uri]
        themed = [place for place, value in enumerate(versions) if value is not None and value.get("theme") == theme]
        if uri in facts.records and None not in versions[max(themed, default=0) :]:
            found = (facts.records[uri].value or {}).get("theme")
            expect(found == theme, f"{uri} lost its theme {theme!r}; it has {found!r}")


def _check_one_record(simulation: "Simulation", facts: "Facts") -> None:
    """Check that OpenMeet never writes a second record for the same person and event (invariant 10)."""
    for (_, uri), records in _effective(facts).items():
        ours = [one.uri for one in records if _is_of_openmeet(simulation, facts.first_revs, one.uri)]
        expect(len(ours) <= 1, f"OpenMeet wrote {ours} about {uri}")


def _check_homes(simulation: "Simulation", facts: "Facts") -> None:
    """Check that OpenMeet has the current handle and PDS of everyone who signed in."""
    for person in _with_account(simulation.people.values()):
        if person.sort is not Sort.CONNECTED or person.application is None:
            continue
        row = facts.identities[person.application.did]
        expect(row["handle"] == person.handle, f"{person.name} is {person.handle}, here it is {row['handle']}")
        home = person.application.home.proxy.url
        expect(row["pds_url"] == home, f"{person.name} lives at {home}, here it is {row['pds_url']}")


def _check_gone(simulation: "Simulation", facts: "Facts") -> None:
    """Check that no data of a deleted account is left on OpenMeet (by design: erasure)."""
    for name, user_id in simulation.memory.erased.items():
        rows = [*facts.attendances, *facts.identities.values(), *facts.publications.values()]
        left = [dict(row) for row in rows if row["user_id"] == user_id]
        expect(not left, f"{name} deleted their account, and {left} are kept")
        expect(user_id not in facts.named_users, f"{name} deleted their account, and still has a name or an address")
    applications = {one.application.did for one in simulation.people.values() if one.application}
    nobodys = facts.held.keys() - facts.identities.keys() - applications
    expect(not nobodys, f"{sorted(nobodys)} are the repositories of nobody")
    for person in simulation.people.values():
        if person.application is None or not person.application.is_gone:
            continue
        did = person.application.did
        kept = [uri for uri in facts.seen if uri.startswith(f"at://{did}/")]
        expect(not kept, f"{person.name} is gone, and {kept} are kept")
        shown = [row["record_uri"] for row in facts.events.values() if (row["record_did"] or "") == did]
        expect(not shown, f"{person.name} is gone, and {shown} are shown")
        expect(did not in facts.identities, f"{person.name} is gone, and {did} is known")
    blank = {
        row["id"] for row in facts.events.values() if row["removed_at"] and not (row["title"] or row["record_uri"])
    }
    named = [row["record_uri"] for row in facts.attendances if row["event_id"] in blank and row["record_uri"]]
    expect(not named, f"{named} count as answers to events that went with their author's account")
    gone = {one.application.did for one in simulation.people.values() if one.application and one.application.is_gone}
    for uri, change in facts.records.items():
        if change.collection == RSVP and change.value is not None and uri in facts.seen:
            about = change.value["subject"]["uri"]
            counts = about.split("/")[2] in gone and facts.seen[uri]["state"] == "mapped"
            expect(not counts, f"{uri} counts as an answer to {about}, whose author's account is gone")


def _with_account(people: Iterable[Person]) -> list[Person]:
    return [person for person in people if person.application is None or not person.application.is_gone]
