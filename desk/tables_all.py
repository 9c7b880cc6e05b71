"""All tables of the desk, for who needs every one of them: each room with tables has a module `tables`."""

from __future__ import annotations

import importlib
import pkgutil
from importlib.util import find_spec

from sqlalchemy import MetaData

import desk
from desk.tables import Base


def every_table() -> MetaData:
    for room in pkgutil.iter_modules(desk.__path__):
        name = f"desk.{room.name}.tables"
        if room.ispkg and find_spec(name):
            importlib.import_module(name)
    return Base.metadata
