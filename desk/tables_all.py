"""All tables of the desk, for who copies every one of them: each module `desk.tables*` has some."""

from __future__ import annotations

import importlib
import pkgutil

from sqlalchemy import MetaData

import desk
from desk.tables import Base


def every_table() -> MetaData:
    for module in pkgutil.iter_modules(desk.__path__):
        if module.name.startswith("tables_") and module.name != "tables_all":
            importlib.import_module(f"desk.{module.name}")
    return Base.metadata
