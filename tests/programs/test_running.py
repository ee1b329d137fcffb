"""A process that was asked to stop ends, whatever its threads do."""

import signal
import subprocess
import sys

# Says that it runs, and once it is asked to stop waits for a thread that never ends.
STUCK = """
import asyncio, time
from programs.running import run_until_stopped, stopping

def never_ending():
    time.sleep(3600)

async def work():
    async with stopping(within_seconds=0.5) as stop:
        print("running", flush=True)
        await stop.wait()
    await asyncio.to_thread(never_ending)

run_until_stopped(work)
"""


def test_a_thread_that_never_ends_does_not_keep_the_process() -> None:
    with subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"running\n"
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=90)
        finally:
            process.kill()
    assert process.returncode == 1
    assert b"never_ending" in said, "nobody would know why"
