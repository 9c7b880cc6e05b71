"""How long things are kept, how they are deleted, exported and moved."""
