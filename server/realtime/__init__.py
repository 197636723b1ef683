"""The OpenAI Realtime protocol: client events in, server events out, and the session between them."""
