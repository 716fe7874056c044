"""Runs Kubeflow's pipeline on Vertex AI: `python deploy/vertex-ai/retrain.py --project P --bucket B --submit`.

It needs google-cloud-aiplatform, in an environment of its own. Without --submit it asks nobody anything: the SDK reads
the pipeline, checks the parameters against it, and the request is printed.
"""

import argparse
import tempfile
from pathlib import Path

import yaml
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform

PIPELINE = Path(__file__).parents[1] / "kubeflow" / "pipeline.yaml"


def describe_job(options: argparse.Namespace, folder: Path) -> aiplatform.PipelineJob:
    """Return the job; the shared folder is the bucket, which Vertex AI mounts at /gcs."""
    template = folder / "pipeline.yaml"
    pipeline, _ = yaml.safe_load_all(PIPELINE.read_text(encoding="utf-8"))  # the other document is Kubernetes'
    template.write_text(yaml.safe_dump(pipeline, sort_keys=False), encoding="utf-8")
    return aiplatform.PipelineJob(
        display_name="ekiben",
        template_path=str(template),
        pipeline_root=f"gs://{options.bucket}/pipeline",
        parameter_values={"home": f"/gcs/{options.bucket}/home", "event": options.event},
        project=options.project,
        location=options.region,
        credentials=None if options.submit else AnonymousCredentials(),
    )


def main() -> None:
    """Read the command line, and submit the job or print it."""
    parser = argparse.ArgumentParser(description="Run the pipeline on Vertex AI Pipelines.")
    parser.add_argument("--project", required=True)
    parser.add_argument("--region", default="europe-west4")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--event", default='{"reason": "manual"}', help="what started the run, as JSON")
    parser.add_argument("--submit", action="store_true", help="run it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        job = describe_job(options, Path(folder))
        if options.submit:
            job.submit()
        else:
            print(yaml.safe_dump(job.to_dict(), sort_keys=False))


if __name__ == "__main__":
    main()
