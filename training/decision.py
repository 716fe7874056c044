"""What the validation rows say of a network's decisions, as `[decision]` of the problem file asks."""

import mlflow

from ekiben.contract.encoding import Encoder
from ekiben.contract.schema import Schema
from ekiben.training.decision_learning import Decision, learn_decision
from ekiben.training.network.fit import Fitted
from ekiben.training.preparation import Prepared
from ekiben.training.problem import ProblemConfig
from ekiben.training.registry.packaging import predict_encoded


def decide(problem: ProblemConfig, prepared: Prepared, fitted: Fitted) -> Decision | None:
    """Return the decision that the problem asks for, None if it asks for none."""
    if problem.decision is None:
        return None
    answers = predict_encoded(fitted.choosing, Encoder(prepared.schema).encode(prepared.parts.validation))
    decision = learn_decision(
        problem.decision, prepared.schema.target, prepared.labels[1], answers, prepared.weights[1]
    )
    print(decision.sentence)
    return decision


def log_decision(decision: Decision | None, schema: Schema) -> None:
    """Log the threshold with the active run, and the digest of the schema that has it."""
    if decision is not None:
        mlflow.log_param("decision_threshold", decision.threshold)
        mlflow.set_tags({"schema_digest": schema.digest, "decision": decision.sentence})
