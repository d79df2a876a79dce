# The example project, for docker-compose.yml; your own project's image looks much the same.
FROM python:3.13-slim
ENV PYTHONUNBUFFERED=1 DJANGO_SETTINGS_MODULE=project.production
WORKDIR /srv
COPY pyproject.toml README.md LICENSE ./
COPY netbox_jobs netbox_jobs
RUN pip install --no-cache-dir '.[postgres]' gunicorn whitenoise
COPY manage.py ./
COPY project project
COPY example_plugin example_plugin
RUN python manage.py collectstatic --no-input

RUN useradd --system --create-home site
USER site
