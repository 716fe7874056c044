# MLflow's tracking server with PostgreSQL's driver; the versions that training uses (requirements/training.txt).
FROM python:3.11-slim-bookworm
RUN pip install --no-cache-dir mlflow==3.17.2 "psycopg[binary]==3.3.9"
