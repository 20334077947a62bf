# Bondstore as a container: built on Debian 12, run as an own user, everything kept in one volume.
#   docker build -t bondstore .
#   docker run -d --name bondstore -p 5443:5443 -v bondstore:/var/lib/bondstore bondstore
# The first start makes the data folder; its log shows the administrator's generated password once:
#   docker logs bondstore
# BONDSTORE_PUBLIC_URL is the address that clients use (default https://localhost:5443), BOND_ADMIN the e-mail of the
# first administrator. BASE lets a build start from another image of the same Debian release.

ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
        gcc libc6-dev cmake ninja-build pkg-config libsqlite3-dev libjansson-dev libsodium-dev libssl-dev \
        libmicrohttpd-dev libgnutls28-dev libcurl4-openssl-dev libcyaml-dev libyaml-dev zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cmake --preset release -G Ninja && cmake --build --preset release \
    && DESTDIR=/out cmake --install build --prefix /usr --strip

FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends \
        libsqlite3-0 libjansson4 libsodium23 libssl3 libmicrohttpd12 libgnutls30 libcurl4 libcyaml1 zlib1g ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10443 --user-group --home-dir /var/lib/bondstore --shell /usr/sbin/nologin bondstore \
    && install -d -o bondstore -g bondstore -m 0700 /var/lib/bondstore
COPY --from=build /out/usr/bin/bondstore /out/usr/bin/bond /usr/bin/
COPY scripts/container-start /usr/bin/bondstore-container
USER bondstore
VOLUME /var/lib/bondstore
EXPOSE 5443
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["bond", "--socket", "/var/lib/bondstore/data/run/control.sock", "status", "-q"]
ENTRYPOINT ["/usr/bin/bondstore-container"]
