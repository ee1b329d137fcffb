"""The walk-through in ``docs/changing.md`` is correct: a new kind of notification changes the files of its table, and the
module with the call.
"""

import re
import subprocess
import sys
from pathlib import Path

from tests.documented_files import changed, copy_sources, generate, listed

ROOT = Path(__file__).parents[3]
SECTION = re.compile(r"^## A notification kind\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^ *```\w+\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)

# Runs in the copied repository: a notification is created, read on the page and e-mailed to the person who still waits.
TRIAL = """
import asyncio, sys
from groundwork.clock import HandClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.signing_key import SigningKey
from openmeet.domain.attendance.actions import answer
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.model import NOTIFICATION_MAIL
from openmeet.domain.notifications.notify import Notice, notify
from openmeet.domain.notifications.queries import newest
from openmeet.emails.notifications.content import notification_lines
from openmeet.emails.notifications.email import notification_composer
from openmeet.emails.render import EmailContext
from openmeet.outbox.emails import DueEmail
from tests.openmeet.site_under_test import event_by, person

async def main():
    await migrate(sys.argv[1], "", "openmeet")
    db = await open_database(sys.argv[1], schema="", clock=HandClock(1_772_366_400_000_000))
    async with db.transaction() as tx:
        ana, ben, cleo = await person(tx, "Ana"), await person(tx, "Ben"), await person(tx, "Cleo")
        event = await event_by(tx, ana, capacity="1")
        for one in (await person(tx, "Dora"), ben, cleo):
            await answer(tx, one, event.slug, RsvpReply.GOING)
        people = [ben.user_id, cleo.user_id]
        CALL
        ((_, item),) = await notification_lines(tx, await newest(tx, ben.user_id, 9), ben.user_id)
        mails = {row["user_id"]: row["mail_id"] for row in await tx.fetch("select user_id, mail_id from notifications")}
        await answer(tx, cleo, event.slug, RsvpReply.DECLINED)
    compose = notification_composer(EmailContext(SigningKey(b"k" * 32), "Town", "https://town.example"))
    letter, none = [await compose(db, DueEmail(NOTIFICATION_MAIL, one, mails[one], 1)) for one in people]
    print(f"{item.before}{item.title}{item.after}", letter.subject, "There are 40 places now." in letter.text, none, sep="|")
    await db.close()

asyncio.run(main())
"""


def dedented(text: str) -> str:
    return "\n".join(line.removeprefix("   ") for line in text.split("\n"))


def test_a_new_kind_touches_few_files(tmp_path: Path) -> None:
    section = SECTION.search((ROOT / "docs" / "changing.md").read_text(encoding="utf-8"))
    assert section is not None
    row, words, call = (dedented(block) for block in BLOCK.findall(section[1]))
    copy = copy_sources(tmp_path) / "openmeet"
    kinds = copy / "domain" / "notifications" / "event_kinds.py"
    source = kinds.read_text(encoding="utf-8")
    payload, definition = row.split("\n\n\n", 1)
    source = source.replace("\n\nclass Approval(", f"\n\n{payload}\n\n\nclass Approval(", 1)
    kinds.write_text(f"{source}{definition}", encoding="utf-8")
    (copy / "emails" / "notifications" / "templates" / "more_places.jinja").write_text(words, encoding="utf-8")
    generate(tmp_path)
    assert changed(tmp_path) == listed("A notification kind", tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", TRIAL.replace("CALL", call.strip()), f"sqlite://{tmp_path}/town.db"],
        cwd=ROOT,
        env={"PYTHONPATH": f"{tmp_path / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == (
        "There are 40 places now at Board games.|More places: Board games, Sat 4 Jul|True|None"
    )
