"""`Finding`: one thing that is wrong, or that one should know."""

from dataclasses import dataclass

#: Jobs do not run, or not as they should; jobs may not run soon; good to know.
ERROR, WARNING, INFO = 'error', 'warning', 'info'


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen, and what to do about it."""

    #: Its kind, for scripts; it stays.
    code: str
    level: str
    text: str
    advice: str
