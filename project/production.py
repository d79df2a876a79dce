"""Settings of the demonstration in containers: without DEBUG, Django serves no style sheets, so WhiteNoise does."""

from .settings import *  # noqa: F403
from .settings import MIDDLEWARE

DEBUG = False
STATIC_ROOT = '/srv/static'
MIDDLEWARE = [MIDDLEWARE[0], 'whitenoise.middleware.WhiteNoiseMiddleware', *MIDDLEWARE[1:]]
