"""``parley serve`` with a part that does what a benchmark needs: ``python -m benchmarks.scripted_server serve --port N``.

``PARLEY_BENCH_TEXT``: the transcriber hears this in every turn, at once.
``PARLEY_BENCH_BEATS``: "module:function" that makes the workers' beats (``benchmarks.flash:make_beat_maker``).
"""

from __future__ import annotations

import itertools
import os
import sys
from dataclasses import replace

from server.config import load_settings
from server.engines import build_engines
from server.serving import run
from streaming.hearing.scripted import ScriptedTranscriber
from streaming.workers.local import LocalWorkerPool


def main() -> None:
    text, beats = os.environ.pop("PARLEY_BENCH_TEXT", None), os.environ.pop("PARLEY_BENCH_BEATS", None)
    settings = load_settings(server={"port": int(sys.argv[sys.argv.index("--port") + 1])})
    engines = build_engines(settings)
    if text is not None:
        engines = replace(engines, transcriber=ScriptedTranscriber(itertools.repeat(text)))
    if beats is not None:
        pool = LocalWorkerPool(settings.server.max_conversations, beat_maker=beats)
        engines = replace(engines, worker_pool=pool)
    run(settings, engines)


if __name__ == "__main__":
    main()
