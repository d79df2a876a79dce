"""Receivers of the plugin."""

from core.signals import job_end, job_start

seen = []


def on_start(sender, **kwargs):
    seen.append(('start', sender.name))


def on_end(sender, **kwargs):
    seen.append((sender.status, sender.name))


job_start.connect(on_start)
job_end.connect(on_end)
