# relayd in an image that holds the binary, the libraries it loads and the CA bundle: no shell, no package manager.
#
#   docker build -t relayd .
#   docker run --read-only -v relayd-queue:/var/spool/relayd -v ./relayd.yaml:/etc/relayd/relayd.yaml:ro \
#     -p 127.0.0.1:25:2525 relayd
#
# The tests are a target of their own: `docker build --target test .` runs those of the rooms. BuildKit leaves that stage
# out otherwise; engines before 23 want DOCKER_BUILDKIT=1 for it.
#
# BASE may be any Debian 12; the image itself has nothing of it but the libraries.
ARG BASE=debian:12-slim

FROM ${BASE} AS source
WORKDIR /source
COPY script/packages script/bootstrap script/
RUN script/bootstrap --build
COPY . .

FROM source AS test
RUN cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release && cmake --build build
RUN ctest --test-dir build -L unit --output-on-failure

FROM source AS build
RUN cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DRELAYD_TESTS=OFF && cmake --build build --target relayd
# The root of the image. glibc resolves names without loading anything more; it is told how by nsswitch.conf.
RUN cmake --install build --component program --prefix /image/usr --strip \
 && ldd /image/usr/bin/relayd | grep -o '/[^ ]*' | xargs cp --parents --dereference --target-directory=/image \
 && install -D -m 644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
 && packaging/image/documents /image \
 && echo 'relayd:x:65532:65532:relayd:/var/spool/relayd:/usr/sbin/nologin' > /image/etc/passwd \
 && echo 'relayd:x:65532:' > /image/etc/group \
 && echo 'hosts: files dns' > /image/etc/nsswitch.conf \
 && mkdir /image/etc/relayd \
 && install -d -m 700 /own/spool /own/run

FROM scratch
LABEL org.opencontainers.image.title="relayd" \
      org.opencontainers.image.description="A mail relay beside applications" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="0.1.0"
COPY --from=build /image /
COPY --from=build --chown=65532:65532 /own/spool /var/spool/relayd
COPY --from=build --chown=65532:65532 /own/run /run/relayd
USER 65532:65532
VOLUME /var/spool/relayd
# Port 25 needs a host that lets it be bound without privileges. This is where it listens where no configuration file has
# `listen`; who may relay is then RELAYD_ALLOW.
ENV RELAYD_LISTEN=0.0.0.0:2525
EXPOSE 2525
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/usr/bin/relayd", "healthcheck"]
ENTRYPOINT ["/usr/bin/relayd"]
# The engine kills what has not ended 10 seconds after its signal.
CMD ["run", "--grace", "8s"]
