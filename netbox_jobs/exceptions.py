"""The exceptions of the framework; each message says what was wrong, what was expected, and what to do."""

__all__ = (
    'AlreadyClaimed',
    'ArgumentsRefused',
    'ArgumentsTooLarge',
    'FormatUnknown',
    'InstanceGone',
    'JobCanceled',
    'JobFailed',
    'RunnerNotFound',
    'UnknownQueue',
    'UnsupportedOption',
)


class JobFailed(Exception):
    """Raise it in `run()` to end the job as *failed*: an expected failure, as opposed to a crash.

    Its message is kept in `job.error`.
    """


class JobCanceled(BaseException):
    """Raised in `run()` by `check_canceled()` when a stop was requested.

    Not an `Exception`, so that a run which catches those does not continue in spite of it.
    """


class UnknownQueue(ValueError, LookupError):
    """A queue that is not configured was named; the message lists those that are."""


class UnsupportedOption(ValueError, TypeError):
    """An option of RQ was passed to `enqueue()` that would undermine what we promise about the job."""


class ArgumentsTooLarge(TypeError, ValueError):
    """The arguments of a call exceed the `ARGUMENTS_MAX_SIZE` setting, so they cannot be stored."""


class ArgumentsRefused(Exception):
    """Stored arguments do not carry our signature; they are never decoded."""


class InstanceGone(Exception):
    """An object that a job's arguments refer to no longer exists."""


class RunnerNotFound(Exception):
    """The code of a job cannot be imported in this process."""


class FormatUnknown(RunnerNotFound):
    """The arguments of a job were stored by a release that this process does not run: another worker may."""


class AlreadyClaimed(RuntimeError):
    """The job is being run by another worker right now."""
