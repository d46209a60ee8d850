# The gateway in a container: dependencies are resolved in one stage, the other holds only what runs.
# Name and digest of the base belong together; docs/docker.md says how to look up a newer pair.
ARG NODE_IMAGE=node:26.10.0-alpine3.24@sha256:0b36e8c136b94cd4fcf02188228e76c31ad5872eef3fec8cbd2eee500cfd9e80

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
# The lockfile carries a hash for every package; --ignore-scripts because none of them needs to run code here.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund
COPY LICENSE ./
COPY bin ./bin
COPY src ./src
RUN chmod -R a+rX,go-w /app

FROM ${NODE_IMAGE}
# Patches that are younger than the base; then everything goes that a running gateway has no use for.
RUN apk upgrade --no-cache \
 && rm -rf /usr/local/lib/node_modules /usr/local/include /usr/local/share/doc /usr/local/share/man /opt/* \
      /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn /usr/local/bin/yarnpkg \
      /usr/local/bin/docker-entrypoint.sh /root/.npm /tmp/* \
 && find / -xdev -type f \( -perm -4000 -o -perm -2000 \) -exec chmod a-s {} + \
 && mkdir -p /etc/portcullis /var/lib/portcullis/transcripts
WORKDIR /app
# Owned by root and not writable: the gateway cannot change its own code.
COPY --from=build /app /app
ENV NODE_ENV=production
USER 65532:65532
EXPOSE 8443 9443
HEALTHCHECK --interval=15s --timeout=5s --start-period=15s --retries=3 \
  CMD ["node", "/app/bin/portcullis.js", "health", "--config", "/etc/portcullis/gateway.json"]
ENTRYPOINT ["node", "/app/bin/portcullis.js"]
CMD ["start", "--config", "/etc/portcullis/gateway.json"]
