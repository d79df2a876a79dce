"""Errors in words, and which of them have one cause."""

import pytest
from rq.timeouts import JobTimeoutException

from netbox_jobs.core import errors, formatting


@pytest.mark.parametrize(
    ('stored', 'words'),
    [
        (repr(ValueError('no route to 10.0.0.1')), 'ValueError: no route to 10.0.0.1'),
        (repr(ValueError('it\'s\n"two" lines')), 'ValueError: it\'s\n"two" lines'),
        (repr(KeyError('name')), 'KeyError: name'),
        (repr(RuntimeError()), 'RuntimeError'),
        (repr(ValueError('')), 'ValueError'),
        (repr(ValueError('a', 'b')), "ValueError('a', 'b')"),
        (repr(ValueError(3)), 'ValueError(3)'),
        (repr(JobTimeoutException('maximum timeout value (3 seconds)')), 'exceeded its time limit of 3 s'),
        ('The disk is full', 'The disk is full'),
        ('call() failed', 'call() failed'),
        (repr(ValueError('x' * 500))[:300], 'ValueError: ' + 'x' * 288),
        (repr(ValueError('x\n' * 500))[:30], 'ValueError: x\nx\nx\nx\nx\nx'),
        ('', ''),
    ],
)
def test_an_error_is_shown_in_words(stored, words):
    assert errors.in_words(stored) == words


@pytest.mark.parametrize(
    ('one', 'other'),
    [
        ('no route to 10.0.0.1', 'no route to 192.168.1.254'),
        ("device 'a' is gone", "device 'b' is gone"),
        ('job 12 of 8f3c2a10-0a5c-4a2f-9a51-0123456789ab', 'job 3 of 00000000-0a5c-4a2f-9a51-0123456789ab'),
        ('<object at 0x7f03f0637600>', '<object at 0x7f03f0330000>'),
        ('late since 2026-01-02 10:00:00', 'late since 2025-11-12T23:59:59.1Z'),
        ('broken\nin this way', 'broken\nin another'),
    ],
)
def test_errors_of_one_cause_share_a_fingerprint(one, other):
    assert errors.fingerprint('a.B', one) == errors.fingerprint('a.B', other)
    assert errors.fingerprint('a.B', repr(ValueError(one))) == errors.fingerprint('a.B', repr(ValueError(other)))
    assert errors.fingerprint('a.B', one) != errors.fingerprint('a.C', one)
    assert errors.fingerprint('a.B', repr(KeyError(one))) != errors.fingerprint('a.B', repr(ValueError(one)))


def test_the_fingerprint_of_a_long_error_is_that_of_its_start():
    assert len(errors.fingerprint('a.B', 'x' * 1_000_000)) == 16
    assert errors.title('y' * 1000) == 'y' * errors.TITLE


def test_a_traceback_begins_with_the_code_of_the_user(monkeypatch):
    def of_the_user():
        raise LookupError

    monkeypatch.setattr(formatting, '_sign', lambda code: of_the_user())
    with pytest.raises(LookupError) as caught:
        formatting.clean('\0')
    trace = caught.value.__traceback__
    ours = caught.value.with_traceback(trace.tb_next)  # as where the package itself calls the user's code
    assert errors.traceback_of(ours).splitlines()[1].startswith(f'  File "{__file__}"')
    assert 'in of_the_user' in errors.traceback_of(ours)


def test_a_traceback_that_is_all_ours_stays_whole():
    with pytest.raises(TypeError) as caught:
        formatting.cut('x', None)
    ours = caught.value.with_traceback(caught.value.__traceback__.tb_next)
    assert 'formatting.py' in errors.traceback_of(ours)
