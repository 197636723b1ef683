"""Answers without any model: finds what a folder of Markdown says."""
