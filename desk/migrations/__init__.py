"""Revisions of the database, oldest first in `versions`; run by desk.database at each start."""
