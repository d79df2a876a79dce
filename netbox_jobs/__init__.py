"""Background jobs for any Django project: the row is the job, Redis only carries its id."""

__version__ = '0.1.0'
