"""Writes what a plan means to Kubernetes' HorizontalPodAutoscaler: a patch for kustomize."""

from pathlib import Path

from ekiben.load_tests.capacity.scalability import Plan

UTILIZATION = 80  # percent of the requested CPU, where it was not measured

PATCH = """\
# {origin}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: flight-delay
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
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {utilization}
"""


def write_patch(path: Path, plan: Plan, origin: str, utilization: int = UTILIZATION) -> None:
    """Write the patch; `origin` says in its first line where the numbers come from."""
    path.write_text(PATCH.format(plan=plan, origin=origin, utilization=utilization), encoding="utf-8")
