"""Amounts as people read them: time left, sizes, ages. Each with its unit."""

from __future__ import annotations

import time

MINUTE, HOUR, DAY = 60, 3600, 86400


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 20 min`, `2 days`."""
    whole = max(0, round(seconds))
    if whole < 100:
        return f"{whole} s"
    if whole < 100 * MINUTE:
        return f"{round(whole / MINUTE)} min"
    if whole < 2 * DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"
    return f"{round(whole / DAY)} days"


def size(count: float) -> str:
    """Bytes in decimal units, as disks are sold: `820 kB`, `4.9 GB`."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def moment(at: float) -> str:
    """A clock time today, a date with time before."""
    then, now = time.localtime(at), time.localtime()
    today = then[:3] == now[:3]
    return time.strftime("%H:%M" if today else "%d %b %H:%M", then)
