"""Middleware of the plugin: the site that a cookie names is active during the request."""

from contextvars import ContextVar

active_site = ContextVar('active_site', default='')


class ActiveSite:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        token = active_site.set(request.COOKIES.get('site', ''))
        try:
            return self.get_response(request)
        finally:
            active_site.reset(token)
