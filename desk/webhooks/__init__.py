"""Other programs are told of every change of state by signed requests; docs/webhooks.md says what they get."""
