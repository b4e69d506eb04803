"""The stand-in's report of a day: readable sentences from what a prompt says, and from nothing else."""

import re
from collections import Counter
from typing import Final

from securitycamd.simulator.wording import listed, understood

SIGNATURE: Final = "The demo's small detector wrote this: it counts what it knows, and can tell no more."
CAMERAS_TOLD: Final = 6

_NUMBERS: Final = re.compile(r"^In numbers: ([\d,]+ events?)(?:: (.+))?\.$", re.MULTILINE)
_USUAL: Final = re.compile(r"^A usual day has about (\d+) events\.$", re.MULTILINE)
_BUSIEST: Final = re.compile(r"^The busiest hour began at (\d\d:\d\d)\.$", re.MULTILINE)
_OBSERVATION: Final = re.compile(r"^- (\d\d:\d\d) (.+?): (.+)$", re.MULTILINE)


def report(prompt: str) -> str | None:
    """The report that ``prompt`` asks for; ``None`` where it asks for none."""
    numbers = _NUMBERS.search(prompt)
    if numbers is None:
        return None
    kinds = f": {_joined(numbers[2].split(', '))}" if numbers[2] else ""
    sentences = [f"The cameras reported {numbers[1]}{kinds}."]
    if usual := _USUAL.search(prompt):
        sentences.append(f"A usual day has about {usual[1]}.")
    told = "\n\n".join(filter(None, (" ".join(sentences), _told(prompt))))
    return f"{told}\n\n{SIGNATURE}"


def _told(prompt: str) -> str:
    """What each camera saw and when, those that saw most first."""
    seen: dict[str, list[tuple[str, Counter[str]]]] = {}
    for clock, camera, words in _OBSERVATION.findall(prompt):
        seen.setdefault(camera, []).append((clock, understood(words).counts))
    by_number = sorted(seen.items(), key=lambda item: -len(item[1]))
    sentences = [_camera(camera, looks) for camera, looks in by_number[:CAMERAS_TOLD]]
    if (more := len(by_number) - CAMERAS_TOLD) > 0:
        sentences.append(f"{more} more {'camera' if more == 1 else 'cameras'} saw something, too.")
    hours = {clock[:2] for looks in seen.values() for clock, _ in looks}
    if len(hours) > 1 and (busiest := _BUSIEST.search(prompt)):
        sentences.append(f"Most happened in the hour from {busiest[1]} on.")
    return " ".join(sentences)


def _camera(name: str, looks: list[tuple[str, Counter[str]]]) -> str:
    first, last = looks[0][0], looks[-1][0]
    most: Counter[str] = Counter()
    for _, counts in looks:
        most |= counts
    when = f"At {first}" if first == last else f"Between {first} and {last}"
    if not most:
        return f"{when}, {name} saw motion, but nobody."
    varies = any(counts != most for _, counts in looks)
    times = f", {len(looks)} times" if len(looks) > 1 and not varies else ""
    return f"{when}, {name} saw {'up to ' if varies else ''}{listed(most)}{times}."


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
