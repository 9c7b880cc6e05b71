"""Responsible staff are told at once, also where no page is open: Web Push, Apprise, quiet hours, escalation."""
