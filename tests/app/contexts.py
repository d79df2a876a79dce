"""Contexts of the tests, for `NETBOX_JOBS['CONTEXT']`."""

from contextlib import contextmanager
from contextvars import ContextVar

word = ContextVar('word', default=None)
house = ContextVar('house', default=None)


@contextmanager
def setting(variable, value):
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


class Word:
    """A value that travels."""

    name = 'word'

    def capture(self):
        return word.get()

    def restore(self, value):
        return setting(word, value)


class House:
    """A tenant: objects of two houses are different ones."""

    name = 'house'
    separates_objects = True

    def capture(self):
        return house.get()

    def restore(self, value):
        return setting(house, value)


class Broken:
    """Cannot be restored."""

    name = 'broken'

    def capture(self):
        return 'x'

    @contextmanager
    def restore(self, value):
        raise RuntimeError(f'no {value} today')
        yield


class Sticky:
    """Cannot be left."""

    name = 'sticky'

    def capture(self):
        return 'x'

    @contextmanager
    def restore(self, value):
        yield
        raise RuntimeError('stuck')


class Nameless:
    def capture(self):
        return None

    def restore(self, value):
        raise NotImplementedError
