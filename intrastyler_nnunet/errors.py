"""What ends a command: an exit code and at most one line, without a traceback."""

import os
import shutil
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

BAD_INPUT, INTERRUPTED, NO_READER = 2, 128 + signal.SIGINT, 128 + 13  # the last as if SIGPIPE had ended it


class InputError(ValueError):
    """Bad input from the user. The message is one line: the file, what was found, what was expected.

    The command line prints it without a traceback and exits with code 2.
    """


@contextmanager
def one_line_errors(program: str) -> Iterator[None]:
    """Within the block, what a user can do something about ends the process with its exit code.

    InputError and OSError (a full disk, no permission): 2 and one line on standard error that begins with `program`.
    Ctrl-C: 130, one line. A closed standard output (`| head`): 141, nothing. Warnings are shown in one line each.
    """
    shown = warnings.formatwarning
    warnings.formatwarning = _one_line_warning  # type: ignore[assignment]
    try:
        with _interrupted_once():
            yield
            if sys.stdout is not None:
                sys.stdout.flush()
    except InputError as error:
        _end(program, str(error), BAD_INPUT)
    except KeyboardInterrupt:
        _end(program, "interrupted", INTERRUPTED)
    except BrokenPipeError as error:
        if error.filename is not None:
            _end(program, reason_of(error), BAD_INPUT)
        _discard_output()
        sys.exit(NO_READER)
    except OSError as error:
        if error.filename is None:  # perhaps standard output's, which would fail once more at the very end
            _discard_output()
        _end(program, reason_of(error), BAD_INPUT)
    finally:
        warnings.formatwarning = shown


def require_none(problems: list[str], whole: str) -> None:
    """Raise InputError if there are problems: the first, and how many more, which are printed.

    Args:
        problems: one line each.
        whole: what they are problems of, and what became of the rest: "3 cases, the others are written".
    """
    for problem in sorted(problems)[1:]:
        print(problem)
    if problems:
        raise InputError(f"{min(problems)} ({len(problems)} of {whole})")


def reason_of(error: OSError) -> str:
    """File and reason of an error of the operating system, in one line."""
    reason = error.strerror or (str(error) or type(error).__name__).splitlines()[0]
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):  # of a folder that was copied
        reason = error.args[0][0][2].partition(": '")[0]  # without the names
    return f"{error.filename}: {reason}" if error.filename is not None else reason


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Within the block, SIGINT raises KeyboardInterrupt once; a second must not disturb what the first one ends."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield
        return

    def interrupt(*_):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is interrupt:
            signal.signal(signal.SIGINT, before)


def _end(program: str, message: str, code: int) -> None:
    with suppress(OSError):  # standard error may be closed
        _close_progress_bars()
        print(f"{program}: {message}", file=sys.stderr)
    sys.exit(code)


def _close_progress_bars() -> None:
    """So that what follows begins on a line of its own."""
    tqdm = sys.modules.get("tqdm")
    for bar in list(getattr(tqdm and tqdm.tqdm, "_instances", ())):
        bar.close()


def _discard_output() -> None:
    with suppress(OSError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _one_line_warning(message, *_) -> str:
    return f"warning: {(str(message).strip() or type(message).__name__).splitlines()[0]}\n"
