"""Whether something fits into memory, said before it is taken."""

import os
from pathlib import Path


def check_memory(needed, what, remedy):
    """MemoryError if ``needed`` bytes are more than there are."""
    available = available_memory()
    if available is not None and needed > available:
        raise MemoryError(
            f"{what} needs {needed:,} bytes, but {available:,} are available. {remedy}"
        )


def available_memory():
    """Bytes that can be taken without swapping, or None where the system does not say."""
    found = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(1024 * int(line.split()[1]))
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            taken = int((group / "memory.current").read_text())
            for line in (group / "memory.stat").read_text().splitlines():
                if line.startswith("inactive_file "):  # files that were read, and can be dropped
                    taken -= int(line.split()[1])
            found.append(int(limit) - taken)
    except (OSError, ValueError):  # another system, or no such group
        pass
    if not found:
        try:
            found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        except (AttributeError, OSError, ValueError):
            return None
    return min(found)
