"""Text in, text out: chat models, the offline answerer, sentence cutting, memory. Knows no audio."""
