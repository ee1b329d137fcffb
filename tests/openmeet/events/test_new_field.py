"""The walk-through in ``docs/changing.md`` is correct: a new event field changes the files of its table, by hand or by a
generator, and no other file.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documented_files import changed, copy_sources, generate, listed

ROOT = Path(__file__).parents[3]
SECTION = re.compile(r"^## An event field\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^ *```\w+\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
MIGRATIONS = ROOT / "src" / "openmeet" / "migrations" / "versions"
STORED = 'stored=columns.text("doors_open")'
DOCUMENT = "at_protocol/lexicon/documents/openmeet/lexicon/eventDetails.json"

# This script runs on the copy. It sends the field through the API, the pages, a series and a record, and reads it again
# from each of them.
TRIAL = """
import asyncio, sys
from dataclasses import replace
from groundwork.clock import HandClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from openmeet.domain.attendance.notify import change_payload
from openmeet.domain.events import event_records, queries
from openmeet.domain.events.content import changed_field_label
from openmeet.domain.personal_data.tables import TABLES
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.event_writer import publishable, write_event
from openmeet.web.events.merged_fields import FIELD_LABELS
from tests.openmeet.site_under_test import ORIGIN, api_session, signed_in, site_on

async def main():
    clock = HandClock(1_772_366_400_000_000)
    await migrate(sys.argv[1], "", "openmeet")
    site = site_on(await open_database(sys.argv[1], schema="", clock=clock), clock)
    said = {"title": "Jazz", "startsLocal": "2026-07-04T18:00", "timeZone": "UTC", "doorsOpen": "17:30"}
    async with site.browser() as ana:
        who = await api_session(ana, "ana@example.org", "Ana")
        made = (await ana.post("/api/events", json=said, headers=who)).json()
        page = (await ana.get("/events/" + made["slug"])).text
        documentation = (await ana.get("/api/openapi.json")).text
        series = (await ana.post("/api/series", json=said | {"recurrence": "FREQ=WEEKLY"}, headers=who)).json()
        dates = "/api/series/" + series["slug"] + "/dates"
        second = (await ana.get(dates, headers=who)).json()["dates"][1]["originalDate"]
        edit = {"scope": "this", "originalDate": second, "doorsOpen": "17:00"}
        await ana.post("/api/series/" + series["slug"] + "/edit", json=edit, headers=who)
        differs = (await ana.get(dates, headers=who)).json()["dates"][1]["differsIn"]
    async with site.db.reader() as reader:
        event = await queries.by_slug(reader, made["slug"])
    async with signed_in(site, event.author_id) as browser:
        form = (await browser.get("/events/" + made["slug"] + "/edit")).text
    record = write_event(publishable(event, instance=ORIGIN), None)
    read = read_event("community.lexicon.calendar.event", record, rkey="x", indexed_at=event.created_at).event
    later = replace(event, content=replace(event.content, doors_open="18:00"))
    assert '"doorsOpen":"17:30"' in documentation, "the documentation of the API"
    assert str(FIELD_LABELS["doors_open"]) == "Doors open", "the page of what was merged"
    assert "Doors open: 17:30" in page and 'value="17:30"' in form and 'maxlength="40"' in form, "pages"
    async with site.db.transaction() as tx:
        columns = [row["name"] for row in await tx.fetch("select name from pragma_table_info('events')")]
        listed = [name for one in TABLES["events"].columns for name in one.names]
        assert sorted(columns) == sorted(listed), "every column is described"
        assert ("doors_open" in columns) is (sys.argv[2] == "column")
        await tx.execute("update events set origin = 'network', record_did = 'did:plc:ana'")
        await event_records.erase_from(tx, "did:plc:ana")
        assert (await queries.by_id(tx, event.id)).content.doors_open == "", "erased"
    (changed,) = change_payload(event, later).parts
    print(made["doorsOpen"], series["doorsOpen"], differs, read.doors_open, changed_field_label(changed), sep="|")
    await site.db.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("has_column", [False, True])
def test_a_new_field_touches_few_files(tmp_path: Path, *, has_column: bool) -> None:
    section = SECTION.search((ROOT / "docs" / "changing.md").read_text(encoding="utf-8"))
    assert section is not None
    blocks = [re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in BLOCK.findall(section[1])]
    line, row, control, shown, migration = blocks
    added = ""
    copy = copy_sources(tmp_path)

    def insert(path: str, before: str, text: str) -> None:
        source = (copy / path).read_text(encoding="utf-8")
        assert before in source, path
        (copy / path).write_text(source.replace(before, text + before, 1), encoding="utf-8")

    insert("openmeet/domain/events/content.py", "\n\n@dataclass(frozen=True, slots=True)\nclass Field:", line)
    insert("openmeet/domain/events/content.py", ")\n\nNAMES: Final", row)
    insert("openmeet/web/events/templates/form.html", '{{ parts.text(typed, "price"', control)
    insert("openmeet/web/events/templates/event.html", "{% if event.content.description %}", shown)
    insert(DOCUMENT, '"price":', '"doorsOpen": {"type": "string", "maxLength": 160},')
    if has_column:
        assert STORED in section[1]
        insert(
            "openmeet/domain/events/content.py",
            '    change_label=plazy("a field that changed", "doors open"),\n',
            f"    {STORED},\n    ",
        )
        last = max(int(path.name[:4]) for path in MIGRATIONS.glob("0*.py"))
        numbered = migration.replace('revision = "0003"', f'revision = "{last + 1:04}"', 1)
        numbered = numbered.replace('"0002"', f'"{last:04}"')
        added = f"{last + 1:04}_doors_open.py"
        (copy / "openmeet/migrations/versions" / added).write_text(numbered, encoding="utf-8")
    generate(tmp_path)
    documented = {
        name.replace("0003_doors_open.py", added) for name in listed("An event field", tmp_path, has_column=has_column)
    }
    assert changed(tmp_path) == documented
    done = subprocess.run(
        [sys.executable, "-c", TRIAL, f"sqlite://{tmp_path}/town.db", "column" if has_column else "extra"],
        cwd=ROOT,
        env={"PYTHONPATH": f"{copy}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "17:30|17:30|['doorsOpen']|17:30|doors open"
