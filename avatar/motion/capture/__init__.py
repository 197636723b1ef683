"""Motion read from a video of a speaking person."""
