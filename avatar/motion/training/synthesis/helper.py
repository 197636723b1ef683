"""A synthesizer's process that is asked many times, and may die or hang."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from avatar.motion.training.synthesis.voices import EngineFailed


class Helper:
    """Pipes to a process. Past the time allowed for an exchange the process is killed, which ends any read.

    Args:
        command: program and arguments.
        name: for error texts.
        timeout_s: for one exchange.

    Raises:
        EngineFailed: from every method.
    """

    def __init__(self, command: Sequence[str], name: str, timeout_s: float) -> None:
        self._name = name
        self._timeout_s = timeout_s
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True
            )
        except OSError as error:
            self._errors.close()
            raise EngineFailed(f"{name} does not start: {error}") from error

    @contextmanager
    def exchange(self) -> Iterator[None]:
        """Bounds the time that the reads and writes within may take."""
        late = threading.Event()

        def kill() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(self._timeout_s, kill)
        timer.start()
        try:
            yield
        except (EngineFailed, OSError) as error:
            if late.is_set():
                raise EngineFailed(f"{self._name} did not answer within {self._timeout_s:g} s") from error
            raise EngineFailed(f"{self._name} ended: {self._last_words() or error}") from error
        finally:
            timer.cancel()

    def write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def read(self, count: int) -> bytes:
        """Exactly ``count`` bytes."""
        assert self._process.stdout is not None
        data = self._process.stdout.read(count)
        if len(data) < count:
            raise EngineFailed("its output ended")
        return data

    def read_line(self) -> bytes:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise EngineFailed("its output ended")
        return line

    def close(self) -> None:
        """End the process and wait for it."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):  # of what was still to be written
                pipe.close()
        self._process.wait()
        self._errors.close()

    def _last_words(self) -> str:
        self._errors.seek(0)
        return self._errors.read()[-300:].decode("utf-8", "replace").strip()
