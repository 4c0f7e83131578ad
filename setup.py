"""The README as the package index shows it: with links that lead there from anywhere."""

import re
from pathlib import Path

from setuptools import setup

REPOSITORY = "https://github.com/turnlog/turnlog"


def described() -> str:
    text = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    text = re.sub(r'((?:src|srcset)=")(?!https?:)', rf"\1{REPOSITORY}/raw/main/", text)
    return re.sub(r"(\]\()(?!https?:|#)", rf"\1{REPOSITORY}/blob/main/", text)


setup(long_description=described())
