"""Which modules a page tells a browser to fetch at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from desk.preloads import Preloads
from desk.texts import WEB

JS = WEB / "static" / "js"
ENTRIES = sorted(
    {m for t in (WEB / "templates").glob("*.html") for m in re.findall(r"/static/js/(\w+\.js)", t.read_text())}
)


def told(preloads: Preloads, entry: str) -> list[str]:
    header = preloads.header(f'<script type="module" src="/static/js/{entry}"></script>')
    return re.findall(r"</static/js/(\w+\.js)>; rel=modulepreload(?:, |$)", header)


def test_what_is_imported_by_what_is_imported_is_told_once_and_circles_end(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text('import { x } from "./b.js";\nimport "./c.js";\n// import { no } from "./no.js";\n')
    (tmp_path / "b.js").write_text('export { y } from "./c.js";\nconst text = `\n  from "./no.js"`;\n')
    (tmp_path / "c.js").write_text('import * as a from "./a.js";\n')
    assert told(Preloads(tmp_path), "a.js") == ["a.js", "b.js", "c.js"]


def test_a_page_without_modules_tells_nothing() -> None:
    assert Preloads(JS).header("<p>text</p>") == ""


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_module_of_every_page_is_told_and_there(entry: str) -> None:
    names = told(Preloads(JS), entry)
    assert names[0] == entry
    assert len(names) == len(set(names))
    for name in names:
        for wanted in re.findall(r'from "\./(\w+\.js)"', (JS / name).read_text()):
            assert wanted in names, f"{name} imports {wanted}"
