"""The browser's side as package data: the ``<digital-human>`` element and the demo page."""
