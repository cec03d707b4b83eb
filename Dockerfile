# The image of web, worker and beat alike; compose.yaml says which runs what.
FROM python:3.13-slim

# Pango and a font, for PDFs.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /home/batconnect batconnect

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 BATCONNECT_HOME=/var/lib/batconnect
WORKDIR /app

COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt

COPY . .
# Static files are part of the image. The settings want a key and a database named even for this; neither is used.
RUN DATABASE_URL=postgres://nobody@localhost/none SECRET_KEY=only-for-collecting-static-files \
    BANK_DETAILS_KEY=b25seSBmb3IgY29sbGVjdGluZyBzdGF0aWMgZmlsZXM= \
        python manage.py collectstatic --noinput \
    && install -d -o batconnect -g batconnect /var/lib/batconnect

USER batconnect
VOLUME /var/lib/batconnect
EXPOSE 8000
# Threads, as requests wait for the database most of the time; --preload shares the code's memory.
CMD ["gunicorn", "batconnect.wsgi:application", "--bind", "0.0.0.0:8000", "--workers", "3", "--threads", "4", \
     "--preload", "--access-logfile", "-", "--max-requests", "5000", "--max-requests-jitter", "500"]
