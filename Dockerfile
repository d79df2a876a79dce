# The example project, for docker-compose.yml; your own project's image looks much the same.
FROM python:3.13-slim
ENV PYTHONUNBUFFERED=1 DJANGO_SETTINGS_MODULE=site_settings
WORKDIR /srv
COPY pyproject.toml README.md LICENSE ./
COPY netbox_jobs netbox_jobs
RUN pip install --no-cache-dir '.[postgres]' gunicorn whitenoise
COPY manage.py ./
COPY project project
COPY example_plugin example_plugin

# Django serves style sheets with DEBUG only. In a project of your own, this is in its settings.
COPY <<EOF site_settings.py
from project.settings import *
DEBUG = False
STATIC_ROOT = '/srv/static'
MIDDLEWARE.insert(1, 'whitenoise.middleware.WhiteNoiseMiddleware')
EOF
RUN python manage.py collectstatic --no-input

RUN useradd --system --create-home site
USER site
