# A camera box: cameras tracked day and night by the compact model, see docs/docker.md.
#
#   docker build --tag tracker .

FROM python:3.11-slim-bookworm AS packages
WORKDIR /app
COPY requirements-light.txt requirements-mqtt.txt requirements-page.txt ./
# An environment of its own is what the next stage takes; pip and what it leaves behind stay here. All are wheels
RUN python -m venv --without-pip /opt/tracker \
    && pip --python /opt/tracker/bin/python install --no-cache-dir --only-binary :all: \
        -r requirements-light.txt -r requirements-mqtt.txt -r requirements-page.txt
COPY tracker tracker
# Nothing can be compiled later, where the root file system is read-only
RUN /opt/tracker/bin/python -m compileall -q tracker

FROM python:3.11-slim-bookworm
# /data is the only folder that a run writes to; a new volume there belongs to this user as well
RUN groupadd --system --gid 10001 tracker \
    && useradd --system --uid 10001 --gid tracker --no-create-home --shell /usr/sbin/nologin tracker \
    && install --directory --owner tracker --group tracker --mode 750 /data
COPY --from=packages /opt/tracker /opt/tracker
WORKDIR /app
COPY LICENSE ./
COPY config config
COPY weights weights
COPY --from=packages /app/tracker tracker
ENV PATH=/opt/tracker/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HUB_HOME=/data/models
ARG VERSION=2.1.0
LABEL org.opencontainers.image.title="tracker" \
      org.opencontainers.image.description="Tracks and counts pedestrians in front of cameras, on a processor" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11-slim-bookworm"
USER 10001:10001
VOLUME /data
STOPSIGNAL SIGTERM
# Whether cameras give frames, not merely whether a process is there
HEALTHCHECK --interval=30s --timeout=10s --start-period=2m --retries=3 \
    CMD ["python", "-m", "tracker.cameras.health", "/data", "--within", "60"]
ENTRYPOINT ["python", "-m", "tracker"]
CMD ["--help"]
