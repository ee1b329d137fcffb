"""The operator pages, which only operators named in the settings can open. Each section shows the current state and
offers actions.
"""

from html import unescape
from http import HTTPStatus
from pathlib import Path

from groundwork.cache.in_process import InProcessCache
from groundwork.clock import SECOND
from groundwork.database.transaction import DatabaseUnavailable
from groundwork.errors import FailureReason, encode_explanation
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from groundwork.outbox.jobs import JobState
from groundwork.queue.contract import Message
from groundwork.queue.rabbitmq import RabbitQueue
from groundwork.rate_limit.in_process import InProcessCounters
from openmeet.domain.api_tokens import service_tokens
from openmeet.domain.api_tokens.scopes import ServiceScope, TokenScope
from openmeet.domain.moderation import labels
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.places.geocoder import Geocoder, GeocoderKind, GeocoderSettings
from openmeet.i18n.reasons.messages import MESSAGES
from openmeet.network import status
from openmeet.network.firehose import cursors
from openmeet.network.firehose.cursors import SourceState
from openmeet.network.ingestion import discrepancies, quarantine
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.discrepancies import Discrepancy, RecordDiscrepancy
from openmeet.network.ingestion.quarantine import FailedStep, RecordFailure
from openmeet.network.ingestion.three_way_merge import encode_edits
from openmeet.network.records.collections import CONCERNING, EVENT
from openmeet.network.records.message import encode
from openmeet.network.status import SyncDependencies
from openmeet.outbox.kinds import JOB_LABELS, JobKind
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.outbox.reasons import PublicationReason
from openmeet.web.admin.view import RECORD_LABELS, STATE_LABELS
from tests.openmeet.admin.conftest import OPERATOR, Bench
from tests.openmeet.ingestion.network import HERE, did, event, rev, rsvp
from tests.openmeet.places.geocoder_server import geocoder_server
from tests.openmeet.site_under_test import api_session, change_services, h1_of, sign_up
from tests.simulation.processes import free_port
from tests.visible_text import visible_text

PAGES = ("/operating", "/operating/dead-letters", "/operating/dead-letters/1", "/operating/put-aside")


async def test_the_pages_do_not_exist_for_others(bench: Bench):
    """The pages answer 404 to signed-in people who are not operators, as any unknown URL does. People who are not
    signed in are asked to sign in.
    """
    await bench.bury()
    for path in PAGES:
        assert (await bench.client.get(path)).status_code == HTTPStatus.OK, path
        hidden, absent = await bench.stranger.get(path), await bench.stranger.get("/nowhere")
        assert hidden.status_code == HTTPStatus.NOT_FOUND
        assert h1_of(hidden.text) == h1_of(absent.text)
        bench.stranger.cookies.clear()
        assert (await bench.stranger.get(path)).status_code in {303, 401}
        await sign_up(bench.stranger, "ana@example.org", "Ana")
    form = {"letters": "1", "do": "discard"}
    assert (await bench.stranger.post("/operating/dead-letters", data=form)).status_code == HTTPStatus.NOT_FOUND
    assert (await bench.queue.depth()).dead == 1
    asked = {"records": "at://did:plc:x/y/z", "do": "read"}
    assert (await bench.stranger.post("/operating/put-aside", data=asked)).status_code == HTTPStatus.NOT_FOUND


async def test_a_quiet_site_says_so(bench: Bench):
    shown = await bench.client.get("/operating")
    assert shown.status_code == HTTPStatus.OK
    for sentence in (
        "None is set up.",
        "None failed.",
        "All servers accept our requests.",
        "No differences in 30 days.",
    ):
        assert sentence in shown.text


async def test_a_community_without_its_database_is_listed(bench: Bench):
    """Operators of the default community run the whole installation. Its page checks the other communities' databases
    on each request.
    """
    away = True

    async def check() -> None:
        if away:
            raise DatabaseUnavailable("the database does not answer yet")

    bench.give_others({"database of village": check})
    shown = await bench.client.get("/operating")
    assert "Databases that aren’t answering" in shown.text
    assert "Database of village" in shown.text
    away = False
    assert "Databases that aren’t answering" not in (await bench.client.get("/operating")).text


async def test_an_unreachable_broker_hides_nothing_else(bench: Bench):
    """If the message broker is down, the page still shows everything else, because operators open the page when
    something is wrong.
    """
    nobody_listens = RabbitQueue(f"amqp://guest:guest@127.0.0.1:{free_port()}/", bench.clock)
    change_services(bench.app, sync_dependencies=SyncDependencies(bench.installation, nobody_listens, HERE))
    async with bench.installation.transaction() as tx:
        await cursors.add_source(tx, "wss://pds.example", cursor=7)
    shown = await bench.client.get("/operating")
    assert shown.status_code == HTTPStatus.OK
    assert "The broker isn’t answering." in shown.text
    assert "wss://pds.example" in shown.text
    olga = await api_session(bench.client, OPERATOR, "Olga")
    told = (await bench.client.get("/api/sync/status", headers=olga)).json()
    assert (told["queue"], told["sources"][0]["url"]) == (None, "wss://pds.example")
    await nobody_listens.close()


async def test_unreadable_records_are_counted(bench: Bench):
    await bench.queue.publish(
        [
            Message(one.routing_key, one.did, encode(one), one.message_id)
            for one in (event(5, "tea", 1), event(5, "odd", 2, startsAt="9999-01-01T00:00:00Z"))
        ]
    )
    await bench.work()
    shown = visible_text((await bench.client.get("/operating")).text)
    assert "Understood 1" in shown
    assert "because they aren’t events or answers openmeet sync unmapped says why 1" in shown


async def test_every_page_links_operators_to_it(bench: Bench):
    assert 'href="/operating"' in (await bench.client.get("/")).text
    assert 'href="/operating"' not in (await bench.stranger.get("/")).text


async def test_labelers_are_listed_with_their_progress(bench: Bench):
    async with bench.db.transaction() as tx:
        for name in ("good", "bad"):
            await labels.add_labeler(tx, f"did:web:{name}.example")
        await labels.advance(tx, "did:web:good.example", 4711)
        await labels.put(
            tx,
            labels.NetworkLabel(
                "did:web:good.example", str(did(1)), "spam", "", is_negated=False, labelled_at=tx.now, expires_at=None
            ),
        )
        await labels.set_state(tx, "did:web:bad.example", "failing", FailureReason.STREAM_BROKEN())
    shown = (await bench.client.get("/operating")).text
    assert "did:web:good.example" in shown
    assert "read to 4711" in shown
    assert "Last label received" in shown
    assert "The connection broke off." in shown


async def test_everything_that_needs_attention_is_listed(bench: Bench):
    """The page lists a failing source, a dead letter, an unreachable server, a conflict and a discrepancy."""
    await bench.bury()
    async with bench.installation.transaction() as tx:
        await cursors.add_source(tx, "wss://pds.example", cursor=7)
        await cursors.set_state(tx, "wss://pds.example", SourceState.FAILING, FailureReason.STREAM_BROKEN())
    uri = f"at://{did(4)}/community.lexicon.calendar.event/tea"
    async with bench.db.transaction() as tx:
        await discrepancies.note(tx, did(4), [], [RecordDiscrepancy(uri, Discrepancy.ROW_MISSING)])
        await tx.execute(
            """
            insert into merge_decisions (uri, field, theirs_rev, base, ours, theirs, ours_revision, policy, result,
                decided_at,
                                   ours_values, theirs_values)
            values (:uri, 'starts_at', 'r', 'a', 'b', 'c', 1, 'origin wins', 'theirs', :now, :value, :value)
            """,
            uri=uri,
            value=encode_edits({"starts_at": None}),
            now=tx.now,
        )
        await tx.execute(
            """
            insert into identities (did, user_id, kind, handle, display_name, pds_url, status, is_default, created_at,
                                    updated_at)
            select :did, id, 'connected', 'o.example', '', 'https://pds.away.example', 'active', 1, :now, :now
              from users where email = :email
            """,
            did=did(4),
            email=OPERATOR,
            now=tx.now,
        )
        await tx.execute(
            """
            insert into circuit_breakers (service, failures, pauses, open_until, reason, changed_at)
            values ('https://pds.away.example', 9, 1, :until, :reason, :now)
            """,
            until=tx.now + 60_000_000,
            reason=encode_explanation(FailureReason.UNREACHABLE(host="pds.away.example")),
            now=tx.now,
        )
        await tx.execute(
            """
            insert into publications (kind, subject_id, user_id, state, revision, attempts, reason, due_at, edited_at,
                                      changed_at)
            select 'event', 'x', id, 'retrying', 1, 6, :reason, :now, :now, :now
              from users where email = :email
            """,
            email=OPERATOR,
            reason=encode_explanation(FailureReason.UNREACHABLE(host="pds.away.example")),
            now=tx.now,
        )
    shown = (await bench.client.get("/operating")).text
    for words in (
        "The connection broke off.",
        "1 failed",
        "https://pds.away.example",
        "Not called (circuit open)",
        "pds.away.example can’t be reached.",
        "repository’s version was kept",
        "A record has no event or answer on this site",
        ">Open<",
        uri,
    ):
        assert words in shown, words
    olga = await api_session(bench.client, OPERATOR, "Olga")
    told = (await bench.client.get("/api/sync/status", headers=olga)).json()
    assert told["discrepancies"] == {"row_missing": 1}
    (server,) = told["failingServers"]
    assert (server["url"], server["circuit"], server["records"]) == ("https://pds.away.example", "open", 1)
    assert told["queue"]["deadLetters"] == 1
    # The pause is over: the next request tries the server. Without a breaker, the job is simply due.
    for change, words in (
        ("update circuit_breakers set open_until = changed_at", "next try with the next request"),
        ("delete from circuit_breakers", "next try now"),
    ):
        async with bench.db.transaction() as tx:
            await tx.execute(change)
        assert words in (await bench.client.get("/operating")).text


async def test_every_kind_of_discrepancy_is_explained(bench: Bench):
    found = [RecordDiscrepancy(f"at://{did(4)}/community.lexicon.calendar.event/{one}", one) for one in Discrepancy]
    async with bench.db.transaction() as tx:
        await discrepancies.note(tx, did(4), [], found)
    shown = (await bench.client.get("/operating")).text
    assert "What this site shows differs from the record" in shown
    assert "<strong></strong>" not in shown


async def test_records_are_named_by_kind(bench: Bench):
    async with bench.db.transaction() as tx:
        for kind in PublicationKind:
            await tx.execute(
                """
                insert into publications (kind, subject_id, user_id, state, revision, attempts, reason, due_at, edited_at,
                                          changed_at)
                select :kind, 'x', id, 'due', 1, 0, '', :now, :now, :now from users where email = :email
                """,
                kind=kind.value,
                email=OPERATOR,
                now=tx.now,
            )
    shown = (await bench.client.get("/operating")).text
    assert len(set(RECORD_LABELS.values())) == len(PublicationKind)
    for kind in PublicationKind:
        assert f"<span>{RECORD_LABELS[kind]}</span>" in shown, kind


async def test_a_dead_letter_is_shown_and_redelivered(bench: Bench):
    """After the cause is fixed, redelivering the message applies it."""
    message = event(5, "tea", 1)
    await bench.queue.publish([Message(message.routing_key, message.did, encode(message), message.message_id)])
    (held,) = await bench.queue.lease(1, 60)
    await bench.queue.bury(held, FailureReason.UNAVAILABLE())
    listed = await bench.client.get("/operating/dead-letters")
    (letter,) = await bench.queue.dead_letters(1)
    # Several messages fail for one repository. So the link is the reason, and the record describes it.
    path = f"/operating/dead-letters/{letter.letter_id}"
    assert f'<a href="{path}" aria-describedby="about-1">A service we need isn’t responding.</a>' in listed.text
    assert f'id="about-1">{message.uri}<' in listed.text
    opened = await bench.client.get(path)
    assert "A service we need isn’t responding." in opened.text
    assert "Tea" in opened.text
    form = {"letters": letter.letter_id, "do": "retry"}
    assert (await bench.client.post("/operating/dead-letters", data=form)).status_code == HTTPStatus.SEE_OTHER
    await bench.work()
    assert (await bench.queue.depth()).dead == 0
    async with bench.db.reader() as reader:
        rows = await reader.fetch("select record_uri from events")
    assert [row["record_uri"] for row in rows] == [message.uri]
    assert (await bench.client.get(path)).status_code == HTTPStatus.NOT_FOUND


async def test_quarantined_records_are_shown_retried_and_dismissed(bench: Bench):
    """Quarantined records are listed in pages with their reasons. Retrying enqueues one job per repository, for the
    step that failed.
    """
    uris = [f"at://{did(1)}/{EVENT}/{number:02}" for number in range(status.SHOWN + 1)]
    failed = [RecordFailure(uri, rev(1), ValueError("<b>no & no</b>")) for uri in uris]
    lost = f"at://{did(2)}/{EVENT}/lost"
    async with bench.db.transaction() as tx:
        await quarantine.store_result(tx, did(1), FailedStep.APPLY, CONCERNING, failed)
        await quarantine.store_result(
            tx, did(2), FailedStep.REPAIR, CONCERNING, [RecordFailure(lost, rev(1), KeyError("x"))]
        )
    assert f"{len(uris) + 1} quarantined" in (await bench.client.get("/operating")).text
    olga = await api_session(bench.client, OPERATOR, "Olga")
    assert (await bench.client.get("/api/sync/status", headers=olga)).json()["quarantinedRecords"] == len(uris) + 1
    first = (await bench.client.get("/operating/put-aside")).text
    assert (uris[0] in first, uris[-1] in first) == (True, False)
    assert "ValueError: &lt;b&gt;no &amp; no&lt;/b&gt;" in first
    following = unescape(first.partition('<p class="more"><a href="')[2].partition('"')[0])
    second = (await bench.client.get(following)).text
    assert (uris[0] in second, uris[-1] in second, lost in second) == (False, True, True)
    form = {"records": f"{uris[0]} {uris[1]} {lost} at://nobody/x/y", "do": "read"}
    done = await bench.client.post("/operating/put-aside", data=form)
    assert done.status_code == HTTPStatus.SEE_OTHER
    assert "We’re reading their accounts" in (await bench.client.get(done.headers["location"])).text
    async with bench.db.reader() as reader:
        queued = await reader.fetch(
            "select kind, subject from outbox_jobs where kind in ('backfill', 'reconcile') order by kind"
        )
    assert [(row["kind"], row["subject"]) for row in queued] == [("backfill", did(1)), ("reconcile", did(2))]
    form = {"records": " ".join(uris), "do": "forget"}
    assert (await bench.client.post("/operating/put-aside", data=form)).status_code == HTTPStatus.SEE_OTHER
    left = (await bench.client.get("/operating/put-aside")).text
    assert (uris[0] in left, lost in left) == (False, True)
    assert (await bench.client.post("/operating/put-aside", data={"records": lost, "do": "forget"})).status_code == 303
    assert "All records were applied." in (await bench.client.get("/operating/put-aside")).text


async def test_a_quarantined_rsvp_is_retried(bench: Bench):
    """Retrying an RSVP in quarantine rechecks the event that it answers: the RSVP itself has not changed, so reading
    its author's repository again would not help.
    """
    tea = f"at://{did(1)}/{EVENT}/tea"
    answer = rsvp(2, "one", 1, tea)
    async with bench.db.transaction() as tx:
        await apply(tx, HERE, [answer])
        await quarantine.add(
            tx, FailedStep.APPLY_AWAITING, [RecordFailure(answer.uri, answer.rev, ValueError("no"), answer.cid)]
        )
        await tx.execute("delete from outbox_jobs")
    shown = (await bench.client.get("/operating/put-aside")).text
    assert "The answer couldn’t be applied 1 time" in shown
    assert "Apply it again" in shown
    form = {"records": answer.uri, "do": "read"}
    await bench.client.post("/operating/put-aside", data=form)
    async with bench.db.reader() as reader:
        queued = await reader.fetch("select kind, subject from outbox_jobs order by kind")
    assert [(row["kind"], row["subject"]) for row in queued] == [("fetch_subject", tea)]


async def test_one_dead_letter_is_deleted_and_the_others_stay(bench: Bench):
    await bench.bury()
    await bench.bury()
    first, _ = await bench.queue.dead_letters(5)
    form = {"letters": first.letter_id, "do": "discard"}
    assert (await bench.client.post("/operating/dead-letters", data=form)).status_code == HTTPStatus.SEE_OTHER
    assert (await bench.queue.depth()).dead == 1


async def test_an_operator_can_be_configured_by_did(bench: Bench):
    async with bench.db.transaction() as tx:
        await tx.execute(
            """
            insert into identities (did, user_id, kind, handle, display_name, pds_url, status, is_default, created_at,
                                    updated_at)
            select :did, id, 'connected', '', '', '', 'active', 1, :now, :now from users where email = 'ana@example.org'
            """,
            did=did(3),
            now=tx.now,
        )
    assert (await bench.stranger.get("/operating")).status_code == HTTPStatus.OK


async def test_operators_read_the_status_by_api(bench: Bench):
    """The status needs both the token scope and the operator setting. A token without the scope and a user who is not
    an operator get nothing.
    """
    olga = await api_session(bench.client, OPERATOR, "Olga")
    ana = await api_session(bench.stranger, "ana@example.org", "Ana")

    async def token(who: dict[str, str], scope: TokenScope) -> dict[str, str]:
        made = await bench.client.post("/api/tokens", json={"name": "A watch", "scopes": [scope]}, headers=who)
        assert made.status_code == HTTPStatus.CREATED, made.text
        return {"authorization": f"Bearer {made.json()['token']}"}

    reading, operating = await token(olga, TokenScope.READ), await token(olga, TokenScope.OPERATING)
    not_hers = await token(ana, TokenScope.OPERATING)
    async with bench.db.transaction() as tx:
        _, service = await service_tokens.make(tx, name="A watch", scopes=[ServiceScope.STATUS])
    watch = {"authorization": f"Bearer {service}"}
    for path in ("/api/sync/status", "/api/sync/flags", "/api/sync/flags/changes"):
        seen = [
            (await bench.client.get(path, headers=who)).status_code
            for who in (olga, operating, watch, reading, ana, not_hers, {"authorization": "Bearer oms_x"}, {})
        ]
        assert seen == [200, 200, 200, 403, 403, 403, 401, 401], path
    switched = await bench.client.put("/api/sync/flags/events-in", json={"isOn": False, "why": "x"}, headers=operating)
    assert switched.status_code == HTTPStatus.FORBIDDEN


async def test_a_page_without_trouble_says_that_all_is_well(bench: Bench):
    """One sentence at the top says that everything works. If there are problems, the sentence counts them, and each is
    linked to the page where it can be solved.
    """
    quiet = (await bench.client.get("/operating")).text
    assert "All is well" in h1_of(quiet)
    assert 'id="needs"' not in quiet
    await bench.bury()
    async with bench.db.transaction() as tx:
        for number, (state, ago) in enumerate((("failed", 0), ("due", 3600), ("due", 60), ("leased", 3600))):
            await tx.execute(
                """
                insert into outbox_jobs (kind, subject, revision, partition, priority, state, due_at, attempts, lease,
                                         reason_code, reason_params, enqueued_at)
                values ('fan_out', :subject, 1, '', 1, :state, :due, 0, 0, '', '', :due)
                """,
                subject=str(number),
                state=state,
                due=tx.now - ago * SECOND,
            )
    shown = (await bench.client.get("/operating")).text
    assert "Running, 3 things to look at" in h1_of(shown)
    needs = shown.partition('id="needs"')[2].partition("</section>")[0]
    assert 'href="/operating/dead-letters"' in needs
    assert "Changes to notify people of: 1 failed" in needs
    assert "Changes to notify people of: 2 waiting" in needs
    assert "fan_out" not in shown.lower().replace(" ", "_")


async def test_a_refused_record_is_reported(bench: Bench):
    async with bench.db.transaction() as tx:
        await tx.execute(
            """
            insert into publications (kind, subject_id, user_id, did, state, revision, attempts, reason, due_at, edited_at,
                                      changed_at)
            select 'event', 'x', id, :did, 'refused', 1, 1, :reason, :now, :now, :now from users where email = :email
            """,
            did=did(1),
            reason=encode_explanation(PublicationReason.KEY_OCCUPIED()),
            email=OPERATOR,
            now=tx.now,
        )
    shown = (await bench.client.get("/operating")).text
    assert "Running, 1 thing to look at" in h1_of(shown)
    assert "1 record was refused" in shown
    _, _, listed = shown.partition('id="refused"')
    assert str(MESSAGES[PublicationReason.KEY_OCCUPIED]) in unescape(listed)
    assert did(1) in listed


async def test_kinds_of_work_are_in_the_language_of_the_reader(bench: Bench):
    async with bench.db.transaction() as tx:
        await tx.execute("update users set language = 'de' where email = :email", email=OPERATOR)
        await tx.execute(
            """
            insert into outbox_jobs (kind, subject, revision, partition, priority, state, due_at, attempts, lease,
                                     reason_code, reason_params, enqueued_at)
            values ('notify_chat', 'x', 1, '', 1, 'failed', :now, 0, 0, '', '', :now)
            """,
            now=tx.now,
        )
    shown = (await bench.client.get("/operating")).text
    assert "Chats mit neuen Nachrichten: 1 gescheitert" in shown
    assert "Antworten aus anderen Apps zählen auf dieser Seite" in (await bench.client.get("/operating/flags")).text


def test_every_kind_of_work_has_words() -> None:
    assert set(JOB_LABELS) == set(JobKind)


def test_every_state_has_words() -> None:
    states = {*SourceState, *PublicationState, *JobState} - {JobState.COMPLETED}
    assert set(STATE_LABELS) == states


async def test_the_geocoders_state_is_shown(bench: Bench) -> None:
    """The page shows whether the geocoder responds, and does not mention it if none is configured."""
    before = (await bench.client.get("/operating")).text
    http = HttpClient(DEVELOPMENT)
    async with geocoder_server() as server:
        settings = GeocoderSettings(GeocoderKind.PHOTON, server.url, "© Us", "OpenMeet")
        places = Gazetteer(Path("/nowhere"))
        geocoder = Geocoder(settings, http, InProcessCache(bench.clock), InProcessCounters(), bench.clock, places)
        change_services(bench.app, geocoder=geocoder)
        well = unescape((await bench.client.get("/operating")).text)
        server.status = 503
        bad = unescape((await bench.client.get("/operating")).text)
        in_german = (await bench.client.get("/operating", headers={"accept-language": "de"})).text
        privacy = (await bench.stranger.get("/privacy")).text
    await http.close()
    assert "Streets and venues" not in before
    assert "127.0.0.1 answers." in well
    assert "127.0.0.1 isn’t answering" in bad
    assert "answered with status 503" in bad
    assert "hat mit Status 503 geantwortet" in in_german
    assert "this site asks 127.0.0.1." in privacy
