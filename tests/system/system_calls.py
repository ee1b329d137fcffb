"""The system calls of a running program, as ``strace`` recorded them, with the order in which they began and returned."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

TRACED = "fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg,read,recvfrom,recvmsg"

_CALL = re.compile(r"(\d+)\s+(\w+)\((.*)")
_RESUMED = re.compile(r"(\d+)\s+<\.\.\. (\w+) resumed>")


@dataclass
class Call:
    """``began`` and ``ended`` are line numbers of the trace. A call that has not returned has no end."""

    name: str
    text: str
    began: int
    ended: int | None

    @property
    def is_sync(self) -> bool:
        return self.name in {"fsync", "fdatasync"}

    @property
    def is_write(self) -> bool:
        return self.name in {"pwrite64", "write", "writev", "sendto", "sendmsg"}

    def touches(self, what: str) -> bool:
        """Whether the file or socket (named by ``strace -yy``) or the bytes contain this."""
        return what in self.text


@asynccontextmanager
async def traced(pid: int, file: Path) -> AsyncIterator[None]:
    """Record every system call of the process to ``file`` while the block runs."""
    options = ["-f", "-yy", "-s", "64", "-e", f"trace={TRACED}", "-o", str(file), "-p", str(pid)]
    strace = await asyncio.create_subprocess_exec("strace", *options, stderr=asyncio.subprocess.PIPE)
    assert strace.stderr is not None
    said = await strace.stderr.readline()
    assert b"attached" in said, said
    try:
        yield
    finally:
        strace.send_signal(signal.SIGINT)
        await strace.communicate()


def read_trace(file: Path) -> list[Call]:
    """The calls, in the order in which they began."""
    calls: list[Call] = []
    unfinished: dict[tuple[str, str], Call] = {}
    for number, line in enumerate(file.read_text(errors="replace").splitlines()):
        if resumed := _RESUMED.match(line):
            if begun := unfinished.pop((resumed[1], resumed[2]), None):
                begun.ended = number
        elif match := _CALL.match(line):
            is_done = not line.endswith("<unfinished ...>")
            calls.append(Call(match[2], match[3], number, number if is_done else None))
            if not is_done:
                unfinished[match[1], match[2]] = calls[-1]
    return calls
