"""Tables for those tools that keep neither results nor log lines in the database."""

from django.db import models


class Line(models.Model):
    """A log line."""

    job = models.CharField(max_length=64)
    time = models.DateTimeField(auto_now_add=True)
    message = models.TextField()

    def __str__(self) -> str:
        return self.message


class Outcome(models.Model):
    """How a job ended."""

    job = models.CharField(max_length=64)
    status = models.CharField(max_length=20)
    time = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f'{self.job} {self.status}'
