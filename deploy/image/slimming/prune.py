"""Takes from an environment what serving never loads: `python prune.py ENVIRONMENT`, in the image's build."""

import shutil
import sys
from pathlib import Path

# Of LiteRT: an accelerator for GPUs, compilers for phones' chips. 32 of its 58 MB.
FILES = (
    "ai_edge_litert/libLiteRtWebGpuAccelerator.so",
    "ai_edge_litert/tools",
    "ai_edge_litert/vendors",
    "ai_edge_litert/aot",
    "tensorflow/include",  # 287 MB of C++ headers
)
# 25 MB of number types that LiteRT's interpreter loads for none of its own: TensorFlow does.
WITHOUT_TENSORFLOW = ("ml_dtypes",)
# 8 MB to colour programs in 250 languages, of which a command's traceback may show one.
LEXERS, NEEDED_LEXERS = "pygments/lexers/*.py", ("__init__.py", "_mapping.py", "python.py", "special.py")
FOLDERS = ("tests", "__pycache__")
ENDINGS = (".pyi", ".pyx", ".pxd", ".c", ".h", ".a")


def prune(packages: Path) -> None:
    """Delete from a site-packages folder."""
    doomed = [packages / name for name in FILES]
    if not (packages / "tensorflow").exists():
        doomed += [packages / name for name in WITHOUT_TENSORFLOW]
    doomed += [path for path in packages.glob(LEXERS) if path.name not in NEEDED_LEXERS]
    doomed += [path for path in packages.rglob("*") if path.name in FOLDERS and path.is_dir()]
    doomed += [path for path in packages.rglob("*") if path.suffix in ENDINGS and path.is_file()]
    for path in doomed:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    for packages in Path(sys.argv[1]).glob("lib/python3.*/site-packages"):
        prune(packages)
