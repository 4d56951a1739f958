# EduPulse with everything it imports, as a user of its own, for processors (`--target cpu`, the default) or an NVIDIA card
# (`--target cuda`). Used by docker-compose.yml.

# LightGBM loads the system's OpenMP, weasyprint its Pango; pg_dump must not be older than the server.
FROM python:3.11-slim-trixie AS system
RUN apt-get update -qq \
  && apt-get install -y -qq --no-install-recommends libgomp1 libpango-1.0-0 libpangoft2-1.0-0 fonts-dejavu-core postgresql-client-17 \
  && rm -rf /var/lib/apt/lists/*

FROM python:3.11-slim-trixie AS source
WORKDIR /project
COPY constraints.txt pyproject.toml README.md LICENSE settings.ini ./
COPY edupulse edupulse
COPY sql sql
COPY reports reports
RUN python -m venv /opt/edupulse
ENV PATH=/opt/edupulse/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# torch goes first and pinned: asked for by a range it brings gigabytes of CUDA packages, wanted or not.
FROM source AS build-cpu
RUN pip install --quiet --index-url https://download.pytorch.org/whl/cpu $(grep -E '^torch==' constraints.txt) \
  && pip install --quiet --constraint constraints.txt .

FROM source AS build-cuda
RUN pip install --quiet $(grep -E '^torch==' constraints.txt) \
  && pip install --quiet --constraint constraints.txt .

# A volume that is mounted on /state for the first time belongs to whoever owned the folder here.
FROM system AS runtime
RUN useradd --uid 10001 --create-home edupulse && install -d -m 700 -o edupulse -g edupulse /state
ENV PATH=/opt/edupulse/bin:$PATH EDUPULSE_HOME=/state MLFLOW_DISABLE_TELEMETRY=true OMP_NUM_THREADS=2
WORKDIR /state
ENTRYPOINT ["edupulse"]
CMD ["doctor"]

FROM runtime AS cuda
COPY --from=build-cuda /opt/edupulse /opt/edupulse
USER edupulse
RUN python -c "import lightgbm, torch, edupulse"

FROM runtime AS cpu
COPY --from=build-cpu /opt/edupulse /opt/edupulse
USER edupulse
RUN python -c "import lightgbm, torch, edupulse"
