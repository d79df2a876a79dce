"""The exit codes of the command line, and the errors that end a command with them."""

from django.core.management.base import CommandError

#: The command did what it was asked to do.
SUCCESS = 0
#: It did nothing, or not all of it; or the job that it waited for did not complete.
FAILURE = 1
#: The call is wrong, and nothing was done.
USAGE_ERROR = 2
#: Ctrl-C.
INTERRUPTED = 130

#: The part of `--help` about exit codes.
EXPLAINED = """\
exit codes:
  0    success; with "run --wait": the job completed; "health" and "doctor"
       found no problem
  1    failure: nothing was done, or not all of it; with "run --wait": the
       job failed, errored or was canceled; "health" or "doctor" found a
       problem
  2    usage error: an unknown command, option, ID, runner, queue, object or
       user; or no --yes where standard input is not a terminal
  130  Ctrl-C
"""


def usage_error(message: str) -> CommandError:
    """Return the error to raise when the call is wrong."""
    return CommandError(message, returncode=USAGE_ERROR)


def failure(message: str) -> CommandError:
    """Return the error to raise when the command could not do what it was asked to do."""
    return CommandError(message, returncode=FAILURE)
