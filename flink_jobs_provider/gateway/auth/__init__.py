"""Who may call the gateway, how often, and what is kept of it."""
