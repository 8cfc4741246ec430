"""What stands around every command: one-line errors, exit codes, signals, closed pipes, poor encodings."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
import warnings
from typing import Any

__all__ = ["end", "guarded", "say", "tell"]

INTERRUPTED = 130
_GRACE = 1.2  # seconds between a signal and the end, whatever the process is doing
_RESUMES = ("run", "demo")


class _Signals:
    """Turns SIGINT and SIGTERM into KeyboardInterrupt, and ends the process soon after if that does not."""

    def __init__(self, argv: list[str]) -> None:
        resumes = any(name in argv[:2] for name in _RESUMES)
        kept = " Blocks that were done are kept: the same command goes on from there."
        self.message = "interrupted." + (kept if resumes else "")
        self.seen = False
        self._restore: list[Any] = []

    def install(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._raise)
        receiver, sender = socket.socketpair()
        sender.setblocking(False)  # noqa: FBT003  the standard library's signature
        signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        self._restore = [receiver, sender]  # kept open
        threading.Thread(
            target=self._watch, args=(receiver,), daemon=True, name="consilience-signals"
        ).start()

    def _raise(self, *_: object) -> None:
        self.seen = True
        raise KeyboardInterrupt

    def _watch(self, receiver: socket.socket) -> None:
        """Runs beside the main thread, which may sit in a long call that no signal reaches."""
        while True:
            received = receiver.recv(1)
            if not received:
                return
            if received[0] in (signal.SIGINT, signal.SIGTERM):
                time.sleep(_GRACE)
                self.seen = True
                end(INTERRUPTED, self.message)


_once = threading.Lock()


def end(code: int, message: str = "") -> None:
    """Ends the process now: threads that still compute are not waited for."""
    if not _once.acquire(blocking=False):
        time.sleep(5)
    try:
        if message:
            say(message)
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        pass
    os._exit(code)


def say(text: str) -> None:
    """One line to stderr; a closed stderr is not an error."""
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass


def tell(text: str = "") -> None:
    """One line to stdout. Whoever read it may have left (`| head`): the work goes on, unsaid."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()


def _error(text: str, code: str) -> None:
    from consilience._cli._text import clean

    say(f"error: {clean(text, 1200)} [{code}]")


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    from consilience._cli._text import clean

    caution = getattr(message, "caution", None)
    text = (
        f"{caution.message} {caution.remedy}".strip() + f" [{caution.code}]"
        if caution is not None
        else f"{category.__name__}: {message}"
    )
    say(f"warning: {clean(text, 600)}")


def _tolerant_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _silence_stdout() -> None:
    """After EPIPE nothing more can be written; the flush at exit must not complain."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        pass


def guarded(argv: list[str], *, signals: bool) -> int:
    """Runs a command; returns its exit code whatever happens. ``signals``: the process is ours, so SIGINT and
    SIGTERM are too."""
    debug = "--debug" in argv
    caught = _Signals(argv)
    try:
        _tolerant_streams()
        if signals:
            caught.install()
        return _invoke(argv)
    except BaseException as error:  # noqa: BLE001
        return _explain(error, debug=debug, caught=caught)


def _invoke(argv: list[str]) -> int:
    import logging

    from consilience._cli._commands import cli
    from consilience._core._errors import ConsilienceWarning

    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("always", ConsilienceWarning)
        warnings.showwarning = _show_warning
        stdout = sys.stdout
        try:
            code = cli.main(args=argv, prog_name="consilience", standalone_mode=False)
        except SystemExit:
            if sys.stdout is stdout:
                raise
            code = 0  # click puts another stream there, and exits with 1, when nobody reads any more
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
    return code if isinstance(code, int) else 0


def _explain(error: BaseException, *, debug: bool, caught: _Signals) -> int:
    import click

    from consilience._core._errors import ConsilienceError

    pipe = (
        error.__context__ if isinstance(error, SystemExit) else error
    )  # click exits with 1 at a closed pipe
    if isinstance(pipe, BrokenPipeError):
        _silence_stdout()
        return 0
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if caught.seen or isinstance(error, (KeyboardInterrupt, click.Abort)):
        if threading.active_count() > 2:  # blocks are still computing
            end(INTERRUPTED, caught.message)
        say(caught.message)
        return INTERRUPTED
    if debug:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return 2
    if isinstance(error, click.ClickException):
        where = getattr(error, "ctx", None)
        hint = f" Try: {where.command_path} --help" if where is not None else ""
        _error(f"{error.format_message()}{hint}", "usage")
        return 2
    if isinstance(error, ConsilienceError):
        _error(str(error), error.code)
        return 2
    if isinstance(error, MemoryError):
        _error("not enough memory; use fewer units or fewer workers.", "out-of-memory")
        return 1
    if isinstance(error, OSError) and error.errno is not None:
        _error(f"{error.strerror}{f': {error.filename}' if error.filename else ''}.", "system")
        return 2
    if "No space left on device" in str(error):  # HDF5 hides it in a RuntimeError
        _error("no space left on the disk; nothing was written under its final name.", "cannot-write")
        return 2
    _error(f"{type(error).__name__}: {error}", "unexpected")
    if not debug:
        say("this is a bug; run with --debug for the traceback.")
    return 1
