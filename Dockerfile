# syntax=docker/dockerfile:1
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# The locked wheels bring what they need: nothing is compiled and no system package is added.
WORKDIR /app
COPY requirements.lock .
RUN pip install --require-hashes -r requirements.lock

# /var/lib/zuora is where the demo's local Zuora keeps its journal.
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/stigg-zuora stigg-zuora \
    && install --directory --owner stigg-zuora /var/lib/zuora
COPY --chown=root:root . .
ENV STATIC_HASHED=true STATIC_ROOT=/app/staticfiles VAR_DIR=/var/lib/stigg-zuora LOG_FORMAT=json
# Keys of the moment: collecting files needs settings, and stores nothing of them.
RUN SECRET_KEY=while-building python manage.py collectstatic --noinput --skip-checks

USER stigg-zuora
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["python", "-m", "granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--no-ws", \
     "--blocking-threads", "8", "--workers-kill-timeout", "30", "stigg_zuora.wsgi:application"]
