"""PURE: the session's states and rules, the creation flow, the session record. No I/O, no clock, no asyncio."""
