# A checkout in, a small image out: one binary on Debian with libopus, run by a user of its own.

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends libopus-dev pkg-config && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# No cache mounts and no VOLUME: some builders, Railway's among them, refuse a Dockerfile that has them.
# Which commit this is, for `callgate --version`: the checkout's own history is not copied. Railway tells it by itself.
ARG CALLGATE_COMMIT RAILWAY_GIT_COMMIT_SHA
RUN CALLGATE_COMMIT="${CALLGATE_COMMIT:-$RAILWAY_GIT_COMMIT_SHA}" cargo build --release --locked --bin callgate && install -D --strip target/release/callgate /out/callgate

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends libopus0 ca-certificates && rm -rf /var/lib/apt/lists/* && \
    useradd --system --uid 10001 --home-dir /data --create-home callgate
COPY --from=build /out/callgate /usr/local/bin/callgate
USER callgate
# The database file and the recordings land here unless DATABASE_URL and RECORDINGS_URL say otherwise: mount a volume, or lose them.
WORKDIR /data
ENV HOST=0.0.0.0 PORT=8080 LOG_FORMAT=json
EXPOSE 8080
# Alive, not ready: a node that drains or is full must not be killed for it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/$PORT && printf 'GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
# SIGTERM drains: give it DRAIN_SECS and a minute before SIGKILL (docker stop --time, terminationGracePeriodSeconds).
STOPSIGNAL SIGTERM
ENTRYPOINT ["callgate"]
CMD ["serve"]
