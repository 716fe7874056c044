"""The Bento service of this process. Run `bentoml serve` in the project's root.

BentoML imports a module and serves what stands in it under a name, so there is one that does work at its import: this.
It reads the settings and opens the models; everything else is made by `build_service` and handed down.
"""

from bentoml.exceptions import BentoMLException

from ekiben.contract.errors import UserError
from ekiben.service.build import build_service
from ekiben.service.environment import read_settings
from ekiben.service.logs.bentoml_logging import set_up_logging
from ekiben.service.logs.process import begin_log
from ekiben.service.servings.agreed_versions import AgreedVersions, open_served
from ekiben.service.telemetry.metrics_folder import find_worker_folder

begin_log(has_rows=find_worker_folder() is not None)
set_up_logging()
try:
    settings, folder = read_settings(), find_worker_folder()
    agreed = AgreedVersions(folder) if folder else None
    Ekiben = build_service(settings, open_served(settings, agreed), agreed)
except UserError as error:
    raise BentoMLException(str(error)) from None  # bentoml prints it as one sentence
# BentoML looks for the service's name in the module that called its decorator.
Ekiben._import_str = f"{__name__}:Ekiben"
