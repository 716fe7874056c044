"""Writes this file system's bill of materials: `python -m ekiben.deploy.image.sbom BENTO`, in the image's build."""

import json
import sys
from pathlib import Path

from ekiben.deploy.image.sbom.bill import FILE, write_bill

if __name__ == "__main__":
    bento = Path(sys.argv[1])
    bill = write_bill(Path("/"), bento, Path(sys.prefix))
    (bento / FILE).write_text(json.dumps(bill, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
