"""What a face does besides speaking: blink, look, sway, nod, breathe, smile, gesture. One frame at a time, seeded."""
