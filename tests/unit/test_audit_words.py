"""What staff did to a session stands in the audit log by the name of its command: the page has words for each."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from desk.texts import WEB
from kiosk.session import inputs

AUDIT = Path(WEB) / "static" / "js" / "audit.js"


def test_the_audit_log_has_words_for_every_command() -> None:
    named = {kind.__name__ for kind in get_args(inputs.Command)}
    assert "Confirm" in named
    words = AUDIT.read_text()
    assert [name for name in sorted(named) if f'case "{name}": return t(' not in words] == []
