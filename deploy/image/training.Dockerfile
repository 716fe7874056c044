# The image that trains: every `ekiben` command with the packages of requirements/pipeline.txt. `ekiben image --training`
# builds it, of a folder with what it names.
# checkov:skip=CKV_DOCKER_2:its commands end
# checkov:skip=CKV_DOCKER_7:the publisher's fixes are wanted
ARG BASE
FROM $BASE
COPY pipeline.txt /tmp/pipeline.txt
RUN ["python", "-m", "venv", "--without-pip", "/opt/ekiben"]
RUN ["python", "-m", "pip", "--python", "/opt/ekiben/bin/python", "install", "--require-hashes", "--no-deps", \
     "--no-compile", "--no-cache-dir", "--disable-pip-version-check", "--quiet", "-r", "/tmp/pipeline.txt"]
COPY prune.py /tmp/prune.py
RUN ["/opt/ekiben/bin/python", "/tmp/prune.py", "/opt/ekiben"]
RUN ["/opt/ekiben/bin/python", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "/opt/ekiben/lib"]
# A new volume takes its owner from this folder; the group is what OpenShift's users have.
RUN ["install", "--directory", "--owner=10034", "--group=0", "--mode=2770", "/ekiben"]
COPY --chmod=755 ekiben /opt/ekiben/bin/ekiben
COPY src /opt/src/ekiben
RUN ["/opt/ekiben/bin/python", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "/opt/src"]
ENV PATH=/opt/ekiben/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/src \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    EKIBEN_HOME=/ekiben \
    BENTOML_HOME=/ekiben/bentoml \
    BENTOML_DO_NOT_TRACK=True \
    MLFLOW_DISABLE_TELEMETRY=true \
    TF_ENABLE_ONEDNN_OPTS=0 \
    TF_CPP_MIN_LOG_LEVEL=2
WORKDIR /ekiben
USER 10034:0
ENTRYPOINT ["ekiben"]
