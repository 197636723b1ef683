"""Many conversations: HTTP and WebSocket API, tokens, sessions, metrics, the ``parley`` command."""
