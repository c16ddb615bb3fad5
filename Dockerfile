# The worker, and the CLI beside it (`docker exec … image-factory status`):
#
#   docker build -t harness-ci-image-factory .
#
# Any Debian-like image with Node.js 20.19 or newer and npm can be the base (docs/deploying.md).
# Trivy comes from the release that src/demo/tools pins, proved by its checksum; where GitHub can't be reached, from an
# image that has it: --build-arg TRIVY_IMAGE=aquasec/trivy:0.76.0
ARG BASE_IMAGE=node:24-bookworm-slim
ARG TRIVY_IMAGE=release

FROM ${BASE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run -s build
# What production does not load; the SDK's native part comes for every platform, and one is enough.
RUN npm prune --omit=dev --no-audit --no-fund \
  && find node_modules/@temporalio/core-bridge/releases -mindepth 1 -maxdepth 1 \
    ! -name "$(node -p "process.arch.replace('x64', 'x86_64').replace('arm64', 'aarch64')")-unknown-linux-gnu" \
    -exec rm -rf {} +

FROM build AS release
RUN node dist/build/install-trivy.js /usr/local/bin/trivy

FROM ${TRIVY_IMAGE} AS trivy

FROM ${BASE_IMAGE}
# Trivy trusts the system's certificates, which slim images lack.
RUN test -e /etc/ssl/certs/ca-certificates.crt \
  || (apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*)
RUN groupadd --gid 10001 factory \
  && useradd --uid 10001 --gid factory --home-dir /var/lib/image-factory --shell /usr/sbin/nologin factory \
  && install -d -o factory -g factory -m 0750 \
    /var/lib/image-factory /var/lib/image-factory/content /var/lib/image-factory/trivy /var/lib/image-factory/reports
WORKDIR /app
COPY --from=trivy /usr/local/bin/trivy /usr/local/bin/trivy
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY package.json LICENSE ./
COPY templates ./templates
RUN chmod +x dist/client.js && ln -s /app/dist/client.js /usr/local/bin/image-factory
# All that is written lies in these and in /tmp, so the rest can be read-only.
ENV NODE_ENV=production \
  HOME=/var/lib/image-factory \
  CONTENT_DIR=/var/lib/image-factory/content \
  TRIVY_CACHE_DIR=/var/lib/image-factory/trivy \
  REPORT_DIR=/var/lib/image-factory/reports \
  HEALTH_FILE=/tmp/image-factory-healthy
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG BASE_IMAGE
LABEL org.opencontainers.image.title="harness-ci-image-factory" \
  org.opencontainers.image.description="Verified, scanned and labelled copies of the images that Harness CI runs" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.base.name="${BASE_IMAGE}"
# A number, so that Kubernetes can prove `runAsNonRoot`.
USER 10001:10001
STOPSIGNAL SIGTERM
# The worker writes the file every 10 s while it polls and Temporal answers (src/worker/health.ts).
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD test -n "$(find "$HEALTH_FILE" -mmin -1)"
ENTRYPOINT ["image-factory"]
CMD ["worker"]
