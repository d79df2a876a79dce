"""Workers: the processes that run jobs. Name one of these classes where RQ or django-rq takes a worker class."""

from .loop import Worker
from .persistent import FastWorker

__all__ = ('FastWorker', 'Worker')
