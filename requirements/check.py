"""Are the lock files what `make lock` would leave: complete, hashed, and free of addresses?"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FOLDER = Path(__file__).resolve().parent
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?==(?P<version>[^ ;]+)(?P<rest>.*)$")


def problems(name: str) -> Iterator[str]:
    """What is wrong with one lock file, a sentence each."""
    text = (FOLDER / f"{name}.txt").read_text()
    for line in text.splitlines():
        if "://" in line or line.lstrip().startswith(("--index", "--extra-index", "--find-links")):
            yield f"{name}.txt names an address: {line.strip()}"
    pins = {pin["name"]: pin for line in text.splitlines() if (pin := PIN.match(line))}
    for pin in pins.values():
        if not re.search(rf"^{re.escape(pin[0])}\n +--hash=", text, re.MULTILINE):
            yield f"{name}.txt has no hash for {pin['name']}"
    for wanted in direct_requirements(name):
        pin = pins.get(canonicalize_name(wanted.name))
        if pin is None or not wanted.specifier.contains(pin["version"], prereleases=True):
            yield f"{name}.txt does not satisfy {wanted}: run make lock"


def direct_requirements(name: str) -> Iterator[Requirement]:
    for line in (FOLDER / f"{name}.in").read_text().splitlines():
        if line.startswith("-r "):
            yield from direct_requirements(line[3:].removesuffix(".in"))
        elif line and not line.startswith("#"):
            yield Requirement(line)


if __name__ == "__main__":
    sys.exit("\n".join([*problems("runtime"), *problems("dev")]) or 0)
