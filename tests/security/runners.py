"""Runners with secrets."""

import logging

from netbox_jobs.jobs import JobRunner

#: What must be found nowhere. (With a quote, a line break and a character that JSON, `repr()` and addresses escape.)
MARKER = 'Xq7-MARKER\'s "ü"/&\n\\0-secret'


class Leaking(JobRunner):
    """Writes the value of its sensitive arguments wherever it can, and fails."""

    class Meta:
        name = 'Leaking secrets'
        sensitive = ('token', 'more')
        max_retries = 1
        retry_backoff = (0,)

    def run(self, token, more=(), fine='fine', fail=True):
        self.logger.warning('token %s', token)
        logging.getLogger('netbox_jobs').warning('token %r', token)
        self.progress(1, 2, f'with {token}')
        self.job.data = {'echo': {'token': token, token: [token]}, 'number': 1}
        self.step('login', lambda: {'as': token})
        try:
            int(token)
        except ValueError:
            self.logger.exception('not a number')
        if fail:
            raise RuntimeError(f'{fine}: refused {token!r}', {'token': token, 'more': more})


class Telling(JobRunner):
    """Ends by an error of its own."""

    class Meta:
        name = 'Telling secrets'
        sensitive = ('token',)

    def run(self, token):
        self.job.error = f'refused {token}'
        self.job.save()
        raise ValueError from KeyError(token)


class Encrypted(JobRunner):
    """Stores what it receives."""

    class Meta:
        name = 'Encrypted'
        encrypted = True
        max_retries = 1
        retry_backoff = (0,)

    def run(self, word='', fail=False):
        self.job.data = {'word': word, 'step': self.step('one', lambda: word)}
        self.job.save()
        if fail:
            raise RuntimeError('expected')


class Open(JobRunner):
    """Not encrypted, unless the setting says so."""

    class Meta:
        name = 'Open'

    def run(self, word=''):
        self.job.data = {'word': word}
