"""Numbers as people write them. A rounded number never claims what is not so: 0.9999 is not 100%."""

from __future__ import annotations

import math

Z95 = 1.959964  # half of a normal distribution's middle 95% lies within this many deviations


def percent(share: float | None, digits: int = 1) -> str:
    """0.8895 -> "88.9%"; never 0% or 100% by rounding: ">99.9%"; nothing known: "–"."""
    if share is None:
        return "–"
    step = 10.0**-digits
    if 100 - step / 2 <= share * 100 < 100:
        return f">{100 - step:.{digits}f}%"
    if 0 < share * 100 < step / 2:
        return f"<{step:.{digits}f}%"
    return f"{share * 100:.{digits}f}%"


def count(number: int) -> str:
    """12000 -> "12,000"."""
    return f"{number:,}"


def plural(number: int, noun: str) -> str:
    """ "1 image", "2,000 images", "3 classes"."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith('s') else 's'}"


def duration(seconds: float | None) -> str:
    """ "13.2 s", "1 min 21 s", "2 h 5 min"; nothing known: "–"."""
    if seconds is None:
        return "–"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def wilson(share: float, images: int) -> tuple[float, float]:
    """The 95% interval of a share that was counted on ``images`` images (Wilson, JASA 22, 1927)."""
    spread = Z95**2 / images
    middle = (share + spread / 2) / (1 + spread)
    half = Z95 * math.sqrt(share * (1 - share) / images + spread / (4 * images)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)
