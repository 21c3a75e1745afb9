"""The one exception a user of the command line is meant to see."""


class InputError(ValueError):
    """Bad input from the user. The message is one line: the file, what was found, what was expected.

    The command line prints it without a traceback and exits with code 2.
    """
