"""The little Markdown that articles are written in, as lines for the display."""

from __future__ import annotations

import re

from kiosk.ui import text
from kiosk.ui.layout import text_measures

_EMPHASIS = re.compile(r"(\*\*|__|\*|_|`)(.+?)\1")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_BULLET = re.compile(r"^\s*[-*+]\s+")
_NUMBER = re.compile(r"^\s*\d{1,2}[.)]\s+")
_HEADING = re.compile(r"^#{1,6}\s+")


def plain(source: str, size: tuple[int, int]) -> tuple[str, ...]:
    """Lines that fit the text column of a display of `size`; headings begin with "# ", an empty line parts paragraphs.

    Pictures and links leave their words; what else Markdown knows is shown as it is written.
    """
    width, px = text_measures(size)
    lines: list[str] = []
    before = "#"
    for block in _blocks(source):
        kind = "#" if block.startswith("# ") else "-" if _NUMBER.match(block) or block.startswith("•") else "p"
        if before not in (kind, "#") or kind == before == "p":
            lines.append("")
        if kind == "#":
            lines += [f"# {line}" for line in text.wrap(block[2:], "bold", px, width)]
        else:
            lines += text.wrap(block, "regular", px, width)
        before = kind
    return tuple(lines)


def _blocks(source: str) -> list[str]:
    """Headings, bullets and paragraphs, each in one line."""
    blocks, open_ = [], False
    for raw in source.splitlines():
        line = _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", raw.strip()))
        heading, bullet = _HEADING.match(line), _BULLET.match(raw)
        if heading:
            blocks.append("# " + line[heading.end() :])
        elif bullet:
            blocks.append("•  " + _BULLET.sub("", line))
        elif _NUMBER.match(line):
            blocks.append(line)
        elif line and open_:
            blocks[-1] += " " + line
        elif line:
            blocks.append(line)
        open_ = bool(line) and not heading
    return blocks
