from .fields import InstanceRelation
from .jobs import Job
from .logs import JobLogEntry
from .mixins import JobsMixin
from .schedules import Schedule
from .workers import Worker

__all__ = ('InstanceRelation', 'Job', 'JobLogEntry', 'JobsMixin', 'Schedule', 'Worker')
