"""The words that pocketsphinx may hear: its own dictionary, less some that a stand-in recognizer must not make up.

It gets a third of the words wrong, and what it makes of a cough or a name may be an obscenity or a slur: on a
public screen that is worse than a word missed. So these are never searched for; speech that does contain them is
heard as something else. Better recognizers write what was said, and nothing is masked there.
"""

from __future__ import annotations

import re
from pathlib import Path

NEVER_HEARD = frozenset(
    """
    ass asses asshole assholes dumbass jackass bastard bastards bastard's bitch bitches bitching bitchy bullshit
    bullshitter bullshitting horseshit shit shits shit's shithead shithole shitload shitstorm shitting shitty
    cocksucker cunt dyke dykes fag fags faggot fuck fucks fuck's fucked fucker fuckers fuckin fucking motherfucker
    motherfuckers motherfucker's motherfucking gook nigger niggers nigger's piss pissed pisses pissing prick pricks
    pussy pussies retard retards retarded slut sluts slutty spic twat twats wank wanker wankers whore whores whorehouse
    """.split()
)

_ENTRY = re.compile(rb"(\S+?)(?:\(\d+\))?\s")
"""A word, or ``word(2)`` for its second pronunciation, in front of its phonemes."""


def heard_words(dictionary: Path) -> bytes:
    """The text of a CMU dictionary file without what is never heard."""
    never = {word.encode("ascii") for word in NEVER_HEARD}
    lines = dictionary.read_bytes().splitlines(keepends=True)
    return b"".join(line for line in lines if not ((entry := _ENTRY.match(line)) and entry[1] in never))
