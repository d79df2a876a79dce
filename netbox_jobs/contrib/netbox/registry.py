"""NetBox's registry, with the stores that job code uses."""

from typing import Any

from ...core.registry import system_jobs

__all__ = ('registry',)


class Registry(dict[str, Any]):
    """A dictionary whose stores are fixed; what is in a store may change."""

    def __missing__(self, key: str) -> Any:
        raise KeyError(f'The registry has no store {key!r}; job code finds {", ".join(sorted(self))}.')

    def __setitem__(self, key: str, value: Any) -> None:
        raise TypeError(f'The stores of the registry are fixed; change what is in registry[{key!r}].')

    def __delitem__(self, key: str) -> None:
        raise TypeError(f'The stores of the registry are fixed; {key!r} stays.')


#: `system_jobs` is what `system_job()` writes to and a worker schedules; `request_processors` are the context managers
#: in which a background view runs; `plugins['installed']` are the names of the plugins.
registry = Registry(plugins={'installed': []}, request_processors=[], system_jobs=system_jobs)
