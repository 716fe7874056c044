"""What `bentoml serve` is asked to serve, from whatever folder."""

TARGET = "ekiben.service.service:Ekiben"
