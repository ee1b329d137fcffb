"""Stored reasons have the codes that the program knows."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from groundwork.clock import HandClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.errors import decode_explanation
from openmeet.i18n.reasons.messages import explain
from openmeet.outbox.reasons import PublicationReason, RecordStatus
from tests.databases import drop_schemas

# The codes that the revisions 0055 and 0063 change.
OLD = {
    "speaker_not_agreed": PublicationReason.RECORD_HOLDER_NOT_AGREED,
    "recalled": PublicationReason.WITHDRAWN,
    "kept_off": PublicationReason.PUBLISHING_TURNED_OFF,
    "no_events": PublicationReason.EVENTS_NOT_WANTED,
    "no_answers": PublicationReason.ANSWERS_NOT_WANTED,
    "no_declined": PublicationReason.DECLINED_NOT_WANTED,
    "says_too_much": PublicationReason.RECORD_TOO_DETAILED,
    "group_kept_off": PublicationReason.GROUP_PUBLISHING_TURNED_OFF,
    "former_record_gone": PublicationReason.SUPERSEDED_RECORD_GONE,
    "answer_without_record": PublicationReason.RESPONSE_WITHOUT_RECORD,
    "answer_without_list": PublicationReason.RESPONSE_WITHOUT_LIST,
    "switched_off": PublicationReason.FLAG_OFF,
    "deleted_elsewhere": PublicationReason.HOST_DECIDES_ABOUT_DELETION,
    "no_series": PublicationReason.AUTHOR_SAYS_NO_SERIES,
    "other_date_published": PublicationReason.DATE_NOT_PUBLISHED,
    "not_allowed": PublicationReason.NO_ACCESS_GRANTED,
    "slower_writes": PublicationReason.WRITE_BUDGET_SPENT,
    "being_read": PublicationReason.ACCOUNTS_BEING_READ,
    "no_new_record": PublicationReason.NO_SUCCESSOR_YET,
    "no_new_group_record": PublicationReason.NO_GROUP_SUCCESSOR_YET,
    "author_must_agree": PublicationReason.HOST_DECIDES_ABOUT_AUDIENCE,
    "other_record_at_address": PublicationReason.KEY_OCCUPIED,
    "group_of_event_hidden": PublicationReason.GROUP_EVENTS_PRIVATE,
    # 0055 leaves this one, although "no_answers" is a part of it.
    "no_answers_to_event": PublicationReason.ANSWERS_STAY_HERE,
    "hidden": PublicationReason.HIDDEN,
}
SCHEMA = "codes_of_reasons"


@pytest.fixture
async def url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """URL of a database without the schema."""
    if engine == "sqlite":
        yield f"sqlite://{tmp_path}/"
        return
    url = request.getfixturevalue("postgres_url")
    yield url
    await drop_schemas(url, [SCHEMA])


def test_codes_are_the_names_of_their_reasons() -> None:
    for reasons, package in ((PublicationReason, "publication"), (RecordStatus, "publication_status")):
        assert [one.value for one in reasons] == [f"{package}.{one.name.lower()}" for one in reasons]


async def test_codes_in_existing_rows_are_renamed(url: str, clock: HandClock) -> None:
    await migrate(url, SCHEMA, "openmeet", to="0054")
    db = await open_database(url, schema=SCHEMA, clock=clock)
    async with db.transaction() as tx:
        await tx.execute(
            "insert into users (id, kind, display_name, bio, revision, created_at, updated_at)"
            " values ('ana', 'person', 'Ana', '', 1, 0, 0)"
        )
        for code in OLD:
            await tx.execute(
                "insert into publications (kind, subject_id, user_id, state, revision, due_at, edited_at, "
                "changed_at, reason) values ('rsvp', :code, 'ana', 'withheld', 1, 0, 0, 0, :reason)",
                code=code,
                reason=f'{{"code":"publication.{code}","params":{{}}}}',
            )
            await tx.execute(
                "insert into outbox_jobs (kind, subject, revision, partition, priority, state, due_at, attempts, lease,"
                " reason_code, reason_params, enqueued_at)"
                " values ('late_write', :code, 1, '', 0, 'failed', 0, 1, 0, :reason, '{}', 0)",
                code=code,
                reason=f"publication.{code}",
            )
    await db.close()
    await migrate(url, SCHEMA, "openmeet")
    db = await open_database(url, schema=SCHEMA, clock=clock)
    async with db.reader() as reader:
        stored = await reader.fetch("select subject_id, reason from publications order by subject_id")
        jobs = await reader.fetch("select subject, reason_code from outbox_jobs order by subject")
    await db.close()
    expected = {code: reason.value for code, reason in OLD.items()}
    found = {row["subject_id"]: decode_explanation(row["reason"]) for row in stored}
    assert {code: one and one.code for code, one in found.items()} == expected
    assert all(explain(one) for one in found.values())
    assert {row["subject"]: row["reason_code"] for row in jobs} == expected
