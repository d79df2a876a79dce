"""The exit codes of the command line, and how a command refuses a call."""

from django.core.management.base import CommandError

#: It is as was asked.
DONE = 0
#: It is not: nothing was done, or not all of it; or the job that was waited for did not complete.
UNDONE = 1
#: The call is wrong, and nothing was done.
WRONG = 2
#: Ctrl-C.
INTERRUPTED = 130

#: What `--help` says of them.
EXPLAINED = """\
exit codes:
  0    it is as you asked; with "run --wait": the job completed
  1    it is not: nothing was done, or not all of it; with "run --wait": the
       job failed, errored or was canceled
  2    the call is wrong: an unknown command, option, id, runner, queue, object
       or user; no --yes where nobody can be asked
  130  Ctrl-C
"""


def wrong(message: str) -> CommandError:
    """What to raise when the call is wrong: one sentence for people, and the exit code."""
    return CommandError(message, returncode=WRONG)


def undone(message: str) -> CommandError:
    """What to raise when it could not be done."""
    return CommandError(message, returncode=UNDONE)
