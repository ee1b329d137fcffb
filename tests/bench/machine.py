"""One line about the machine on which the figures were measured, and the memory of a process."""

import os
import platform
import resource
from pathlib import Path


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_busy() -> bool:
    """Whether other processes leave less than half of the cores."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > cores() / 2


def described(codec: str) -> str:
    """Cores, processor, interpreter, codec and load; figures mean nothing without them."""
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        f"{cores()} cores ({_processor()}), {platform.system()} {platform.release()}, {python}, CBOR by {codec}{load}"
    )


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [
        text_line.partition(":")[2].strip() for text_line in text.splitlines() if text_line.startswith("model name")
    ]
    return names[0] if names else platform.machine()


def resident_mb(pid: int | None = None) -> float:
    """Megabytes of memory that a process has now. On systems other than Linux, the peak of this process."""
    try:
        text = Path(f"/proc/{pid or 'self'}/status").read_text(encoding="utf-8")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return next(int(row.split()[1]) for row in text.splitlines() if row.startswith("VmRSS:")) / 1024


def processor_seconds(pid: int) -> float:
    """Processor time of a process, all its threads together. On systems other than Linux, 0."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
