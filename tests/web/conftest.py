"""The example plugin's pages in a real browser, and objects whose jobs they show."""

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.test import Client, override_settings
from django.test.testcases import LiveServerThread
from playwright.sync_api import expect

from example_plugin.models import Source
from tests.app.models import Thing
from tests.web.running import WAIT


def strict_policy(get_response):
    """Middleware: what neither our style sheets nor our scripts are, the browser refuses, and says so."""

    def answer(request):
        response = get_response(request)
        response['Content-Security-Policy'] = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            "form-action 'self'; base-uri 'none'"
        )
        return response

    return answer


@pytest.fixture(scope='module')
def site(chromium, django_db_setup):
    """The address of a web server that asks for CSRF tokens, serves static files, and sends a strict policy."""
    more = ('django.middleware.csrf.CsrfViewMiddleware', f'{__name__}.strict_policy')
    with override_settings(MIDDLEWARE=[*settings.MIDDLEWARE, *more], ALLOWED_HOSTS=['127.0.0.1', 'testserver']):
        server = LiveServerThread('127.0.0.1', StaticFilesHandler)
        server.daemon = True
        server.start()
        server.is_ready.wait(60)
        assert not server.error, server.error
        yield f'http://127.0.0.1:{server.port}'
        server.terminate()


@pytest.fixture
def visit(chromium, site):
    """Open a page as a user; at the end, no console may have said anything, and no script may have failed."""
    contexts, said = [], []

    def _visit(user, path='/sources/', *, width=1200, **options):
        context = chromium.new_context(base_url=site, viewport={'width': width, 'height': 900}, **options)
        context.set_default_timeout(WAIT)
        logged_in = Client()
        logged_in.force_login(get_user_model().objects.get(username=user))
        context.add_cookies([{'name': 'sessionid', 'value': logged_in.cookies['sessionid'].value, 'url': site}])
        contexts.append(context)
        page = context.new_page()
        page.on('console', lambda message: said.append(f'{message.type}: {message.text}'))
        page.on('pageerror', lambda error: said.append(f'error: {error}'))
        page.goto(path)
        return page

    _visit.said = said
    expect.set_options(timeout=WAIT)
    yield _visit
    for context in contexts:
        context.close()
    assert said == []


@pytest.fixture
def operator():
    return get_user_model().objects.create_superuser('operator').username


@pytest.fixture
def visitor():
    return get_user_model().objects.create_user('visitor').username


@pytest.fixture
def source():
    return Source.objects.create(name='Shop', url='http://127.0.0.1:9/')


@pytest.fixture
def thing():
    return Thing.objects.create()
