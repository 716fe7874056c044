"""Writes what a plan means to Kubernetes' HorizontalPodAutoscaler: a patch for kustomize."""

from pathlib import Path

from ekiben.load_tests.capacity.scalability import Plan

PATCH = """\
# {origin}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: ekiben
spec:
  minReplicas: {plan.replicas}
  maxReplicas: {plan.most}
  metrics:
    - type: Pods
      pods:
        metric:
          name: ekiben_inference_requests_per_second
        target:
          type: AverageValue
          averageValue: "{plan.requests_per_second}"
    - type: Pods
      pods:
        metric:
          name: ekiben_inference_waiting_rows
        target:
          type: AverageValue
          averageValue: "{plan.waiting_rows}"
"""


def write_patch(path: Path, plan: Plan, origin: str) -> None:
    """Write the patch; `origin` says in its first line where the numbers come from."""
    path.write_text(PATCH.format(plan=plan, origin=origin), encoding="utf-8")
