"""Which modules a page needs, told with the page itself: a browser fetches them at once, instead of finding each only
when it has read the one that wants it."""

from __future__ import annotations

import re
from pathlib import Path

_IMPORT = re.compile(r'^(?:import|export) [^"]*"\./(\w+\.js)"', re.MULTILINE)
_SCRIPT = re.compile(r'<script type="module" src="/static/js/(\w+\.js)">')


class Preloads:
    """Read once."""

    def __init__(self, modules: Path) -> None:
        self._imports = {path.name: _IMPORT.findall(path.read_text()) for path in modules.glob("*.js")}

    def header(self, page: str) -> str:
        """For `Link` (RFC 8288): all that the page's own modules import; empty where it has none."""
        wanted = list(_SCRIPT.findall(page))
        for module in wanted:  # grows as it goes
            wanted += [one for one in self._imports.get(module, ()) if one not in wanted]
        return ", ".join(f"</static/js/{module}>; rel=modulepreload" for module in wanted)
