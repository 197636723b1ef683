"""Recordings of people whose words are known, from Debian's packages: found (``recordings``), told when each phone is heard
(``aligner``), and made into shards beside the synthetic ones (``shards``)."""
