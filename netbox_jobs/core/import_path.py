"""Dotted paths of classes and functions: how rows name code, and how workers find it again."""

import importlib
import sys
from collections.abc import Callable
from typing import Any

from ..exceptions import RunnerNotFound

#: The modules that `resolve()` has had to import in this process, in that order.
imported: list[str] = []
#: What makes a callable of an object that stands for code, by the class of such objects: `contrib` adds to it.
adapters: dict[type, Callable[[Any], Any]] = {}


def path_of(target: Any) -> str:
    """Return the dotted path of a class or a function."""
    return f'{target.__module__}.{target.__qualname__}'


def is_imported(path: str) -> bool:
    """Return whether `resolve()` needs no module that this process has not imported already."""
    parts = path.split('.')
    for cut in range(len(parts) - 1, 0, -1):
        module = sys.modules.get('.'.join(parts[:cut]))
        if module is not None:
            return cut == len(parts) - 1 or not hasattr(module, '__path__')
    return False


def resolve_of(job: Any) -> Any:
    """Import the code of a job. No module is imported for a row that does not carry our signature.

    Raises:
        RunnerNotFound: This process has no such code, or must not import it.
    """
    if not is_imported(job.runner) and not job.is_signed:
        raise RunnerNotFound(
            f'{job.runner} is not imported: the row of job {job.pk} does not carry our signature, so it was changed '
            'outside the app.'
        )
    return resolve(job.runner)


def resolve(path: str) -> Any:
    """Import what `path_of()` has named.

    Raises:
        RunnerNotFound: This process has no such code.
    """
    parts = path.split('.')
    for cut in range(len(parts) - 1, 0, -1):
        module = '.'.join(parts[:cut])
        known = module in sys.modules
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError as error:
            # Only a missing package of the path itself means "look further up"; a module that fails to import
            # something else is broken, and the error says so.
            if error.name and (module == error.name or module.startswith(f'{error.name}.')):
                continue
            raise RunnerNotFound(f'{path} cannot be imported: {error}') from error
        except Exception as error:
            raise RunnerNotFound(f'{path} cannot be imported: {type(error).__name__}: {error}') from error
        if not known:
            imported.append(module)
        for attribute in parts[cut:]:
            found = getattr(found, attribute, None)
        if found is None:
            break
        return next((adapt(found) for kind, adapt in adapters.items() if isinstance(found, kind)), found)
    raise RunnerNotFound(f'{path} cannot be imported: it was renamed or removed, or this worker runs other code.')
