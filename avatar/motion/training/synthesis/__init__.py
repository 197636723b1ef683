"""Speech to learn from, made by free synthesizers that say when each phone is heard.

``corpus`` plans it (splits, voices, shares), ``shards`` makes and keeps it. One utterance goes from ``grammar`` (what is
said) through an engine (``espeak``, ``flite``, ``festival``; ``symbols`` turns their phones into IPA), ``take`` (speaker
and level) and ``labels`` (the viseme rules' mouth) to ``augmentation`` (noise, rooms, codecs). ``synthesis`` makes all shards, also
those of people's recordings (``training.people``).
"""
