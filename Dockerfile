# EduPulse with everything it imports, as a user of its own. Used by docker-compose.yml.
FROM python:3.11-slim

# The slim image has no OpenMP; LightGBM loads the system's.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*

WORKDIR /project
# torch goes first and pinned: asked for by a range it brings gigabytes of CUDA packages.
COPY constraints.txt ./
RUN pip install --no-cache-dir --quiet $(grep -E '^torch==' constraints.txt)
COPY pyproject.toml README.md LICENSE settings.ini ./
COPY edupulse edupulse
COPY sql sql
COPY reports reports
RUN pip install --no-cache-dir --quiet --constraint constraints.txt . \
  && python -c "import lightgbm, torch, edupulse"

# A volume that is mounted on /state for the first time belongs to whoever owned the folder here.
RUN useradd --create-home edupulse && install -d -o edupulse -g edupulse /state
USER edupulse
ENV EDUPULSE_HOME=/state
WORKDIR /state
ENTRYPOINT ["edupulse"]
CMD ["doctor"]
