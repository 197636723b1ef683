"""From speech to the mouth: phonemes to visemes to curves, or sound to curves where no timings exist."""
