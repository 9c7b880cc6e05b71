"""Texts of the pages in the reader's language, from desk/web/locale (catalogues are read uncompiled)."""

from __future__ import annotations

import gettext
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

WEB = Path(__file__).parent / "web"


def texts(language: str, folder: Path = WEB / "locale") -> gettext.NullTranslations:
    """The catalogue of a language; what is missing in it is shown as it stands in the code (English).

    Reads and compiles a file: once at the start, not for each page.
    """
    place = folder / language / "LC_MESSAGES" / "desk.po"
    if not place.exists():
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with place.open("rb") as file:
        cast(Callable[..., Any], write_mo)(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
