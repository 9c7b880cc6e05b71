"""Who may do what: accounts, signing in, roles, the guard before every route, the audit log."""
