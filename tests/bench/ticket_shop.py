"""pretix, a ticket shop written in Django, with a list of 30 events, as a peer for our pages.

It is not installed with the project. If ``OPENMEET_BENCH_PRETIX`` names the Python of an environment that has it
(``python3 -m venv /tmp/pretix && /tmp/pretix/bin/pip install pretix gunicorn``), it is run with one worker on SQLite.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.bench.timing import progress
from tests.simulation.processes import free_port

VARIABLE: Final = "OPENMEET_BENCH_PRETIX"
EVENTS: Final = 30

_FILL: Final = f"""
from datetime import timedelta
from django.utils.timezone import now
from django_scopes import scopes_disabled
from pretix.base.models import Event, Organizer
with scopes_disabled():
    town = Organizer.objects.create(name="Town", slug="town")
    for number in range({EVENTS}):
        event = Event.objects.create(
            organizer=town, name=f"Jazz night {{number}}", slug=f"jazz{{number}}", currency="EUR", location="Hall",
            date_from=now() + timedelta(days=number + 1), live=True, is_public=True, plugins="")
        item = event.items.create(name="Admission", default_price=0)
        event.quotas.create(name="Seats", size=100).items.add(item)
"""


def is_configured() -> bool:
    return VARIABLE in os.environ


@contextmanager
def running() -> Iterator[str]:
    """The address of a shop with ``EVENTS`` events. Its list is ``/town/``, an event ``/town/jazz0/``."""
    python, port = Path(os.environ[VARIABLE]), free_port()
    with tempfile.TemporaryDirectory(prefix="openmeet-bench-") as folder:
        settings = Path(folder, "pretix.cfg")
        settings.write_text(
            f"[pretix]\ninstance_name=peer\nurl=http://127.0.0.1:{port}\ndatadir={folder}\n"
            "[database]\nbackend=sqlite3\n[django]\nsecret=of-this-run-alone\ndebug=off\n"
        )
        environment = {**os.environ, "PRETIX_CONFIG_FILE": str(settings)}
        progress("preparing pretix (about three minutes)")
        for command, fed in (("migrate", ""), ("shell", _FILL)):
            subprocess.run(
                [python, "-m", "pretix", command],
                env=environment,
                input=fed,
                text=True,
                capture_output=True,
                check=True,
            )
        gunicorn = [str(python.with_name("gunicorn")), "-w", "1", "-b", f"127.0.0.1:{port}", "pretix.wsgi"]
        shop = subprocess.Popen(gunicorn, env=environment, stderr=subprocess.DEVNULL)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            shop.terminate()
            shop.wait()
