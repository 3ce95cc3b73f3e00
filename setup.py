"""What pyproject.toml cannot say of the build: a wheel holds configs/ as jaxsent/configs."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfigs(build_py):
    """Copies configs/ into the package; a checkout has it beside the package."""

    def run(self):
        super().run()
        if not self.editable_mode:
            inside = Path(self.build_lib, "jaxsent", "configs")
            inside.mkdir(parents=True, exist_ok=True)
            for config in Path("configs").glob("*.py"):
                shutil.copy(config, inside)


setup(cmdclass={"build_py": BuildWithConfigs})
