"""The runners of the project: the subclasses of `JobRunner` that this process has imported."""

import inspect
from collections.abc import Iterator
from importlib import import_module

from django.apps import apps
from django.utils.module_loading import module_has_submodule

from ..execution.runner import JobRunner


def import_all() -> list[str]:
    """Import the module `jobs` of every app, where runners usually are; return the errors of the broken modules."""
    broken = []
    for config in apps.get_app_configs():
        try:
            if module_has_submodule(config.module, 'jobs'):
                import_module(f'{config.name}.jobs')
        except Exception as error:
            broken.append(f'{config.name}.jobs cannot be imported: {type(error).__name__}: {error}')
    return broken


def imported(of: type[JobRunner] = JobRunner) -> Iterator[type[JobRunner]]:
    """Yield the runners that are imported, apart from abstract ones; one that has several bases more than once."""
    for found in of.__subclasses__():
        if not inspect.isabstract(found) and '<' not in found.__qualname__:  # a worker could not import that
            yield found
        yield from imported(found)
