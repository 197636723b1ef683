"""Hearing: is there a voice, and what did it say. Nothing heavy is imported until an engine is used."""
