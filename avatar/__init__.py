"""A picture and sound in, frames out. Knows no network and no conversation."""
