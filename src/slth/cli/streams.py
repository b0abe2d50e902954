"""Standard streams that may be full or closed, and signals: no traceback, no wrong exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

# Of a shell whose command could not do its work: bad usage, bad input, or no room.
_FAILED = 2


class _Careful(io.TextIOBase):
    """A stream whose reader may leave: what is written from then on is dropped, and the command
    goes on to its own exit code. Other failures are kept for the end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def write(self, text: str, /) -> int:
        if self.failure is None:
            try:
                self._stream.write(text)
            except OSError as error:
                self._fail(error)
        return len(text)

    def flush(self) -> None:
        if self.failure is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._fail(error)

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._stream.errors

    def _fail(self, error: OSError) -> None:
        self.failure = error
        # What is left in the buffer is tried again at exit, where it must succeed.
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._stream.fileno())
        os.close(nothing)


@contextmanager
def careful() -> Iterator[None]:
    """Within, and until the process exits, stdout and stderr may be closed pipes. Where stdout
    cannot take the answer for another reason, the process says so and exits with 2."""
    out, said = _Careful(sys.stdout), _Careful(sys.stderr)
    sys.stdout, sys.stderr = out, said
    try:
        yield
    finally:
        out.flush()
        said.flush()
        sys.stdout, sys.stderr = out._stream, said._stream
    if out.failure is not None and not isinstance(out.failure, BrokenPipeError):
        if said.failure is None:
            reason = out.failure.strerror or str(out.failure)
            print(f"slth: the answer cannot be written to stdout: {reason}", file=sys.stderr)
        sys.exit(_FAILED)


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Within, SIGTERM does what Ctrl-C does: work returns or writes what it has."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler):
            handler(signal.SIGINT, frame)
        else:
            # A shell's background job ignores Ctrl-C, not this.
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
