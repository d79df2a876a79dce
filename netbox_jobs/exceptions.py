"""The exceptions of the framework; each message says what was wrong, what was expected, and what to do.

All have the base `NetBoxJobsError`, beside the built-in one that fits; only `JobCanceled` cannot, and says why.
"""

import typing

__all__ = (
    'AlreadyClaimed',
    'ArgumentsRefused',
    'ArgumentsTooLarge',
    'ArgumentsUnknown',
    'ContextNotRestored',
    'ContextUnknown',
    'EncryptionKeyMissing',
    'FormatUnknown',
    'InstanceGone',
    'JobCanceled',
    'JobEnded',
    'JobExists',
    'JobFailed',
    'NetBoxJobsError',
    'RateExceeded',
    'RunnerNotFound',
    'SignalTimeout',
    'StepsChanged',
    'UnknownQueue',
    'UnsupportedOption',
)


class NetBoxJobsError(Exception):
    """The base of all exceptions of this package, but for `JobCanceled`."""


class JobFailed(NetBoxJobsError):
    """Raise it in `run()` to end the job as *failed*: an expected failure, as opposed to a crash.

    Its message is kept in `job.error`.
    """


class JobCanceled(BaseException):
    """Raised in `run()` by `check_canceled()` when a stop of the job was requested.

    It is neither an `Exception` nor a `NetBoxJobsError`, so that a run which catches those stops all the same.
    """


class JobExists(NetBoxJobsError, ValueError):
    """A job that is the same waits or runs, and the runner's `Meta.unique` has `on_conflict='raise'`."""

    def __init__(self, message: str = '', job: typing.Any = None) -> None:
        """Args:
        message: What is said.
        job: The job that exists.
        """
        super().__init__(message)
        self.job = job

    def __reduce__(self) -> typing.Any:
        return type(self), (*self.args, self.job)


class RateExceeded(NetBoxJobsError, TimeoutError):
    """`self.rate(...).acquire(timeout=...)` found no room within the timeout."""


class JobEnded(NetBoxJobsError, ValueError):
    """A signal was sent to a job that has ended, and so cannot receive it."""


class SignalTimeout(NetBoxJobsError, TimeoutError):
    """`wait_for()` has received no signal within its `timeout`."""


class StepsChanged(NetBoxJobsError):
    """A job has steps of another `Meta.version` than the code that runs it now. It is not retried by itself."""


class UnknownQueue(NetBoxJobsError, ValueError, LookupError):
    """A queue that is not configured was named; the message lists those that are."""


class UnsupportedOption(NetBoxJobsError, ValueError, TypeError):
    """A call of `enqueue()` has an option of RQ with which the package could not keep its promises about the job."""


class ArgumentsTooLarge(NetBoxJobsError, TypeError, ValueError):
    """Arguments, or a result of a step, or a payload, exceed the `ARGUMENTS_MAX_SIZE` setting: they are not stored."""


class ArgumentsRefused(NetBoxJobsError):
    """Stored arguments do not carry the project's signature; they are never decoded."""


class InstanceGone(NetBoxJobsError):
    """An object that a job's arguments refer to no longer exists."""


class RunnerNotFound(NetBoxJobsError):
    """The code of a job cannot be imported in this process."""


class ArgumentsUnknown(RunnerNotFound):
    """The code of this process cannot read the arguments of a job, or does not take them; that of another may."""


class FormatUnknown(ArgumentsUnknown):
    """The arguments of a job were stored by a release that this process does not run: another worker may."""


class EncryptionKeyMissing(ArgumentsUnknown):
    """A job is encrypted with a key that this process does not have in its settings: that of another worker may."""


class ContextUnknown(ArgumentsUnknown):
    """A job was enqueued in a context that this process does not have in its settings: that of another worker may."""


class ContextNotRestored(NetBoxJobsError):
    """What a job was enqueued in could not be restored around its run; the message names the context."""


class AlreadyClaimed(NetBoxJobsError, RuntimeError):
    """The job is being run by another worker right now."""
