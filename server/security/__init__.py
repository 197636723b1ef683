"""Who may talk to the server, from where, and how much."""
