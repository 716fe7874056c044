# MLflow's tracking server and PostgreSQL's driver: mlflow.txt, which `make locks` makes of mlflow.in.
FROM python:3.11-slim-bookworm
COPY mlflow.txt /tmp/mlflow.txt
RUN ["python", "-m", "pip", "install", "--require-hashes", "--no-deps", "--no-cache-dir", \
     "--disable-pip-version-check", "--quiet", "-r", "/tmp/mlflow.txt"]
# A new volume takes its owner from this folder.
RUN ["install", "--directory", "--owner=10034", "--group=10034", "/artifacts"]
ENV HOME=/tmp
WORKDIR /tmp
USER 10034:10034
HEALTHCHECK --start-period=60s CMD ["python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:5000/health', timeout=5)"]
