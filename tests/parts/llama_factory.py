"""The readers of data sets in LLaMA-Factory, without PyTorch, which its other modules import.

Its own parser of `dataset_info.json` and converters of examples run in a replacement of the
package around them, which would bring 3 GB. They need `datasets`, of the extra `test-formats`.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

from tests.parts import PartMissing, wheels

VERSION = "0.9.5"
MODULES = ("llamafactory.data.parser", "llamafactory.data.converter")


def installed() -> Path:
    """The folder of the package; filled on first use."""
    if find_spec("datasets") is None:
        raise PartMissing("no datasets: scripts/install test-formats")
    return wheels.installed("llamafactory", VERSION) / "llamafactory"


def imported(folder: Path) -> tuple[Any, Any]:
    """The modules `data.parser` and `data.converter`; nothing else sees the package."""
    for needed in ("datasets", "fsspec", "huggingface_hub"):  # which others see
        import_module(needed)
    with patch.dict(sys.modules):
        for name in ("llamafactory", "llamafactory.data", "llamafactory.extras"):
            package = ModuleType(name)
            package.__path__ = [str(folder.joinpath(*name.split(".")[1:]))]
            sys.modules[name] = package
        names = {"DATA_CONFIG": "dataset_info.json", "RUNNING_LOG": "running_log.txt"}
        _stand_in("llamafactory.extras.constants", **names)
        elsewhere = dict.fromkeys(("use_modelscope", "use_openmind"), lambda: False)
        _stand_in("llamafactory.extras.misc", **elsewhere)
        parser, converter = map(import_module, MODULES)
        return parser, converter


def _stand_in(name: str, **members: Any) -> None:
    module = ModuleType(name)
    module.__dict__.update(members)
    sys.modules[name] = module
