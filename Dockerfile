# Two stages: wheels are built where compilers may stand; what runs has neither them nor root.
FROM debian:12-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv python3-dev gcc \
 && rm -rf /var/lib/apt/lists/*
COPY pyproject.toml README.md LICENSE /src/
COPY gateway /src/gateway
COPY codecs /src/codecs
COPY sip_configs/demo /src/sip_configs/demo
RUN python3 -m venv /opt/voice-gateway \
 && /opt/voice-gateway/bin/pip install --no-cache-dir "/src[local]"

FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 flite ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --create-home --home-dir /var/lib/voice-gateway voice-gateway
COPY --from=build /opt/voice-gateway /opt/voice-gateway
ENV PATH=/opt/voice-gateway/bin:$PATH OPENBLAS_NUM_THREADS=1 PYTHONUNBUFFERED=1
# SIP is for callers outside the container, the page is not. These hold over the file; override with -e.
ENV GATEWAY_CONFIG=/etc/voice-gateway/gateway.toml
ENV GATEWAY_SIP__BIND=udp:0.0.0.0:5060,tcp:0.0.0.0:5060
ENV GATEWAY_HTTP__BIND=127.0.0.1:8080
USER voice-gateway
WORKDIR /var/lib/voice-gateway
EXPOSE 5060/udp 5060/tcp 10000-10199/udp
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s \
  CMD ["python3", "-c", "import os, urllib.request as u; b = os.environ['GATEWAY_HTTP__BIND']; b and u.urlopen('http://' + b.replace('0.0.0.0', '127.0.0.1').replace('[::]', '[::1]') + '/healthz', timeout=2)"]
ENTRYPOINT ["voice-gateway"]
CMD ["serve"]
